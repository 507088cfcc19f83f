"""What a code host's pipeline needs: workflow templates, the report about a branch, the one comment that shows it."""

"""Floor 4, pure: registered versions and stages, which are tags in the grammar of GTO (spec: policy.md, Tags)."""

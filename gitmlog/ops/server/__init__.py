"""What a server does with a push: the checks of the hooks pre-receive and update (spec: policy.md)."""

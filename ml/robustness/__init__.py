"""What does it take to mislead a network? Pictures made worse step by step, and attacks that know its gradients."""

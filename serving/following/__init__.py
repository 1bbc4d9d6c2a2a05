"""Following the registry: its stage -> the store -> the version that each worker answers with."""

"""The commands of `kit tls`."""

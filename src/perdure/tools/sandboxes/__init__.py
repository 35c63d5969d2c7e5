"""How an organization's tools run: variables, limits, hosts and packages that all of them have."""

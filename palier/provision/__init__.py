"""Certificates, accounts and access of one plant: what broker, stores, dashboards and gateways are run with.

`layout` names the files; `access` says who may write and read what; `accounts` and `certificates` compute
what is in the files and touch none; `files` is the folder on the disk; `making` makes what is missing;
`changes` says what has to follow; `checking` tells what is there. None of it logs: what it handles are
secrets.
"""

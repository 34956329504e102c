"""What makes an installation on real servers ready: roles, databases, schemas, pools, connections."""

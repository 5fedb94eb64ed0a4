"""`make charts`: writes what follows from elsewhere into the charts: schemas, READMEs, routes, the trial's NATS users."""

"""The whole system as containers: the project's own images, and PostgreSQL, NATS, Valkey and Traefik."""

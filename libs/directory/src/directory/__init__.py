"""The organisation in every service: tables kept from identity's events, actors, scope, permissions (design §2.5, §2.6)."""

"""The microservice chassis: everything a Highsea service needs that knows no business word."""

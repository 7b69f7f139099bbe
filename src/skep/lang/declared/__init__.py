"""Declarations of maps beyond the tables of ``lang.maps``, by what they hold."""

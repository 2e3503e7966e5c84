"""How numbers, tables, pictures and settings are written."""

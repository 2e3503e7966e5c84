"""Who is here: accounts and their roles, who is acting just now and may do what, and what was done by whom."""

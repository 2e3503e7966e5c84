"""What leaves a page as a file: tables and reports."""

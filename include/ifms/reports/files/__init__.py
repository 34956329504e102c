"""One module per kind of file: CSV, XLSX, PDF."""

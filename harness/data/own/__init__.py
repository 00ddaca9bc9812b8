"""Data of the user's own: files and folders that become data sets without a card."""

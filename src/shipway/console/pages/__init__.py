"""The pages, each a folder: its path and question (`page.py`), SQL, and template (`page.html`)."""

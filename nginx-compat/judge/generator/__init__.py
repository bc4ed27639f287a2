"""Random configurations and requests, played against NGINX and lb; `generate.py` beside this folder is the program."""

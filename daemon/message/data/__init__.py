"""Lists that ship with mail2deal, each with its own comments; read with importlib.resources."""

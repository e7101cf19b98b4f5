"""Why does a finished run say what it says?"""

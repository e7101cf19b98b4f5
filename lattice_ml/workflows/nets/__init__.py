"""Which kind of net learns an observable best, and how far beyond its training it holds?"""

"""How much do models know that can be read?"""

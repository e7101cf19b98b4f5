"""The complex scalar field at finite density in its dual (flux) form, free of the sign problem."""

"""The developer's face: what ``import skep`` offers. It joins the compiler, the records and the kernel."""

"""The emitter: a typed tree to the text of an LLVM module. It checks nothing: what reaches it is sound."""

"""Floor 2, pure: the text of metafiles and trees (spec: metafile.md, tree.md). Bytes in, values out; no files."""

"""The batches of the original release, exactly: its order, cuts, sampled negatives and faults, one file a reader.

`data.compat: original` trains on them. Nothing outside this room knows how the original chose its batches; nothing
in it is used without that setting.
"""

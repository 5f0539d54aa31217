"""Files as people have them: one module a format, each gives the typed records of ``unimo.data.records``.

What a task reads comes through one function a kind of record, which tells the format by the file's name and content:
``captions``, ``texts``, ``entailment``, ``questions``, ``generation`` and, for labelled texts, ``tables``. Behind them
stand the formats of one publisher each: ``coco``, ``karpathy``, ``multi30k``, ``snli_ve``, ``vqa``, ``visual_genome``,
``coqa``. ``parts`` reads which part of a file is meant (``dataset_coco.json#test``).
"""

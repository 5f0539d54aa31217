"""Text to ids and back: the released byte-level BPE dictionary, or one trained on a user's own texts."""

from unimo.tokenization.corpus import TextFiles
from unimo.tokenization.encoding import Encoding
from unimo.tokenization.phrases import PhraseFinder, find_phrases
from unimo.tokenization.tokenizer import UnimoTokenizer
from unimo.tokenization.vocabulary import Vocabulary

__all__ = ["Encoding", "PhraseFinder", "TextFiles", "UnimoTokenizer", "Vocabulary", "find_phrases"]

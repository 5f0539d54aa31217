"""The default parser: noun phrases and relations from corrected tags, by rules for the English of captions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from unimo.augment.graph import Node, SceneGraph
from unimo.augment.lexicon import Lexicon, load_lexicon
from unimo.augment.tagging import NOUNS, Token, tag_tokens

VERSION = 3
_VERBS = frozenset({"VB", "VBZ", "VBG", "VBD", "VBN"})
_MODIFIERS = frozenset({"JJ", "CD"})
_OPENERS = frozenset({"DT", "PRP$", "POS"})
_ONE = frozenset({"a", "an", "each", "every", "another"})
_NO_ATTRIBUTE = frozenset({"other", "same", "such", "own", "one", "next", "upside"})


@dataclass(frozen=True)
class _Phrase:
    """Tokens ``first`` to ``end`` (exclusive) of a noun phrase; its noun run begins at ``noun``."""

    first: int
    noun: int
    end: int


class PatternParser:
    """Textblob's tagger, our lexicon, our rules; 3,000 captions a second."""

    def __init__(self, vocabulary: str = "") -> None:
        self.lexicon = load_lexicon(vocabulary)
        self.name = f"pattern-{VERSION}" + ("-visual-genome" if vocabulary else "")

    def parse(self, text: str) -> SceneGraph:
        """See :class:`~unimo.augment.graph.SceneGraphParser`."""
        return GraphBuilder(text, tag_tokens(text, self.lexicon), self.lexicon).build()


class GraphBuilder:
    """The graph of one tagged caption; any tagger of Penn tags will do."""

    def __init__(self, text: str, tokens: list[Token], lexicon: Lexicon) -> None:
        self.text, self.tokens, self.lexicon = text, tokens, lexicon
        self.positions = self._find_positions()
        self.prepositions = self._find_prepositions()
        self.objects: list[Node] = []
        self.attributes: list[tuple[Node, int]] = []
        self.relations: list[tuple[Node, int | None, int | None]] = []
        self.waiting: list[Node] = []
        """Attributes whose object has not come yet: `a group of` people."""
        self.phrase_at: dict[int, tuple[_Phrase, int | None]] = {}
        """First token of a noun phrase -> the phrase, and its object if it has one."""

    def build(self) -> SceneGraph:
        """Objects and attributes first, then what relates them."""
        index = 0
        while index < len(self.tokens):
            if index in self.positions:
                index = self.positions[index]
                continue
            phrase = self._phrase(index)
            if phrase is not None:
                self._read_phrase(phrase)
            index = phrase.end if phrase is not None else index + 1
        self._read_predicates()
        self._read_positions()
        self._read_relations()
        ordered = sorted(self.attributes, key=lambda pair: pair[0].start)
        return SceneGraph(self.text, tuple(self.objects), tuple(ordered), tuple(self.relations))

    # -- words

    def _tag(self, index: int) -> str:
        return self.tokens[index].tag if 0 <= index < len(self.tokens) else ""

    def _word(self, index: int) -> str:
        return self.tokens[index].word if 0 <= index < len(self.tokens) else ""

    def _is(self, index: int, part: str) -> bool:
        return self._word(index) in self.lexicon.words[part]

    def _join(self, first: int, end: int) -> str:
        return " ".join(token.word for token in self.tokens[first:end])

    def _find_prepositions(self) -> dict[int, int]:
        """Token -> one past the last token of the longest combined preposition that begins there (`in front of`)."""
        found: dict[int, int] = {}
        index = 0
        while index < len(self.tokens):
            if index in self.positions:
                index = self.positions[index]
                continue
            longest = self.lexicon.longest_preposition.get(self.tokens[index].word, 0)
            for length in range(min(longest, len(self.tokens) - index), 0, -1):
                words = tuple(token.word for token in self.tokens[index : index + length])
                shortened = tuple(word for word in words if word not in ("the", "a"))
                single = length == 1 and self.tokens[index].tag not in ("IN", "TO")
                inner = length > 2 and words[-1] not in ("the", "a")
                known = words in self.lexicon.prepositions or (inner and shortened in self.lexicon.prepositions)
                if known and not single and not self._is_verb_to(index, words):
                    found[index] = index + length
                    break
            index = found.get(index, index + 1)
        return found

    def _find_positions(self) -> dict[int, int]:
        """Token -> one past the last of a place in the picture that begins there (`in the top left corner`)."""
        found: dict[int, int] = {}
        for index in range(len(self.tokens)):
            if self._word(index) not in ("on", "in", "at") or self._word(index + 1) != "the":
                continue
            end = index + 2
            while self._is(end, "position"):
                end += 1
            named = end > index + 2
            end += self._is(end, "position_end")
            if named and self._word(end) == "of" and self._is(end + 2, "picture"):
                end += 3
            if named and self._word(end) != "of" and self._tag(end) not in (*NOUNS, *_MODIFIERS):
                found[index] = end
        return found

    def _is_verb_to(self, index: int, words: tuple[str, ...]) -> bool:
        """`to` before a verb is no preposition (`to watch`, `up to catch`)."""
        return words[-1] == "to" and self._tag(index + len(words)) in ("VB", "BE")

    # -- noun phrases

    def _phrase(self, start: int) -> _Phrase | None:
        """The noun phrase that begins at a token, if one does; a combined preposition is none of its words."""
        index = start
        while self._tag(index) in _OPENERS and index not in self.prepositions:
            index += 1
        noun = self._after_modifiers(index)
        if noun is None:
            return None
        end = noun
        while self._tag(end) in NOUNS and (end == noun or end not in self.prepositions):
            end += 1
        return _Phrase(start, index, end)

    def _after_modifiers(self, index: int) -> int | None:
        """The first noun after adjectives ("red and white", "well dressed", "large , round"); None without one."""
        while True:
            if index in self.prepositions and self._tag(index) not in _MODIFIERS:
                return None
            tag = self._tag(index)
            if tag in NOUNS:
                return index
            if tag in _MODIFIERS or (tag == "RB" and self._tag(index + 1) in _MODIFIERS):
                index += 1
            elif self._joins_modifiers(index):
                index += 2 if self._word(index) == "," and self._word(index + 1) == "and" else 1
            else:
                return None

    def _joins_modifiers(self, index: int) -> bool:
        after = index + 2 if self._word(index) == "," and self._word(index + 1) == "and" else index + 1
        joined = self._word(index) in ("and", "or", ",", "&", "-")
        return joined and self._tag(index - 1) in _MODIFIERS and self._tag(after) in _MODIFIERS

    def _read_phrase(self, phrase: _Phrase) -> None:
        """Attributes and object of a phrase, unless its head counts, or names no thing."""
        end, head = phrase.end, self._word(phrase.end - 1)
        of_follows = self._word(end) == "of"
        modifiers, noun = self._split_phrase(phrase)
        if of_follows and head in self.lexicon.words["quantity"] and self._opens_phrase(end + 1):
            self.waiting += [self._attribute(first, last) for first, last in modifiers]
            self.waiting.append(self._attribute(end - 1, end + 1))
            return
        if of_follows and head in self.lexicon.words["sort"]:
            self.waiting += [self._attribute(first, last) for first, last in modifiers]
            return
        self.phrase_at[phrase.first] = (phrase, None)
        if self._names_no_thing(phrase, noun, of_follows):
            return
        number = "plural" if self.tokens[end - 1].tag == "NNS" else self._singular_kind(phrase.first)
        lemma = self.lexicon.noun_of(self._join(noun, end))
        self.objects.append(Node("object", self.tokens[noun].start, self.tokens[end - 1].end, lemma, number))
        owner = len(self.objects) - 1
        self.phrase_at[phrase.first] = (phrase, owner)
        found = [*self.waiting, *(self._attribute(first, last) for first, last in modifiers)]
        self.attributes += [(node, owner) for node in found]
        self.waiting = []

    def _singular_kind(self, first: int) -> str:
        if self._tag(first) not in _OPENERS:
            return "one" if self._word(first) in ("one", "single", "another") else "bare"
        return "one" if self._word(first) in _ONE else "definite"

    def _opens_phrase(self, index: int) -> bool:
        phrase = self._phrase(index)
        return phrase is not None

    def _names_no_thing(self, phrase: _Phrase, noun: int, of_follows: bool) -> bool:
        head = self._word(phrase.end - 1)
        alone = phrase.end - noun == 1
        if alone and (self._is(phrase.end - 1, "abstract") or self._is(phrase.end - 1, "place")):
            return True
        if head not in self.lexicon.words["picture"]:
            return False
        if head == "close":
            return self._word(phrase.end) == "up"
        shown = self._tag(phrase.end) == "BE" or self._is(phrase.end, "showing")
        return of_follows or self._word(phrase.first) == "this" or shown

    def _split_phrase(self, phrase: _Phrase) -> tuple[list[tuple[int, int]], int]:
        """Token spans of the attributes, and where the object's own name begins."""
        first_noun = phrase.noun
        while self._tag(first_noun) not in NOUNS:
            first_noun += 1
        named = (n for n in range(phrase.noun, first_noun) if self._is_known_compound(n, phrase.end))
        first_noun = next(named, first_noun)
        spans: list[tuple[int, int]] = []
        index = phrase.noun
        while index < first_noun:
            if self._tag(index) in _MODIFIERS or self._tag(index) == "RB":
                end = self._compound_end(index, first_noun)
                if end is not None:
                    spans.append((index, end))
                index = end if end is not None else index + 1
            else:
                index += 1
        while first_noun < phrase.end - 1 and self._is_modifying_noun(first_noun, phrase.end):
            spans.append((first_noun, first_noun + 1))
            first_noun += 1
        return [span for span in spans if self._join(*span) not in _NO_ATTRIBUTE], first_noun

    def _is_known_compound(self, first: int, end: int) -> bool:
        """`hard hat`, `hot air balloon`: a name that begins with an adjective."""
        return end - first > 1 and self.lexicon.noun_of(self._join(first, end)) in self.lexicon.nouns

    def _compound_end(self, index: int, limit: int) -> int | None:
        """One past the attribute that begins at a token: two words where they make one; None for a bare adverb."""
        pair = index + 1 < limit and self._tag(index + 1) in _MODIFIERS
        if pair and self._is(index + 1, "compound") and self._word(index) not in ("very", "two", "three"):
            return index + 2
        shades = (
            pair and self._is(index, "shade") and "colour" in self.lexicon.attributes.get(self._word(index + 1), ())
        )
        if shades or (pair and self._join(index, index + 2) in self.lexicon.attributes):
            return index + 2
        return None if self._tag(index) == "RB" else index + 1

    def _is_modifying_noun(self, index: int, end: int) -> bool:
        """Whether a noun before a noun names a colour, material or pattern (`glass vase`), and no known compound."""
        names = (self._join(index, end), self._join(index, index + 2))
        if any(name in self.lexicon.nouns or name in self.lexicon.persons for name in names):
            return False
        kinds = self.lexicon.attributes.get(self._word(index), ())
        return bool({"colour", "material", "pattern", "sex"} & set(kinds))

    def _attribute(self, first: int, end: int) -> Node:
        lemma = self._join(first, end)
        kinds = self.lexicon.attributes.get(lemma, ())
        counts = "count" in kinds or (self.tokens[first].tag == "CD" and end - first == 1)
        form = "of" if lemma.endswith(" of") else "more" if counts else "plain"
        form = "one" if lemma in ("one", "1") else form
        return Node("attribute", self.tokens[first].start, self.tokens[end - 1].end, lemma, form)

    def _read_predicates(self) -> None:
        """Adjectives after a form of be (`the dog is black`), and colours on their own (`a man in white`)."""
        inside = {index for phrase, _ in self.phrase_at.values() for index in range(phrase.first, phrase.end)}
        taken = {node.start for node, _ in self.attributes}
        for index, token in enumerate(self.tokens):
            if token.tag != "JJ" or index in inside or token.start in taken or token.word in _NO_ATTRIBUTE:
                continue
            before = index - 1
            while self._tag(before) == "RB":
                before -= 1
            led_by = self._tag(before) in ("BE", "CC") or self._word(before) in ("look", "looks", "get", "gets")
            colour = "colour" in self.lexicon.attributes.get(token.word, ())
            owner = self._object_before(token.start)
            leads_on = self._word(index + 1) == "to" and self._is(index, "leading")
            if owner is not None and (led_by or colour) and index not in self.prepositions and not leads_on:
                self.attributes.append((self._attribute(index, index + 1), owner))

    def _read_positions(self) -> None:
        """A place belongs to the object in front; at the head of a clause, to the one that comes."""
        for first, end in self.positions.items():
            start, stop = self.tokens[first].start, self.tokens[end - 1].end
            before = self._object_before(start)
            after = next((number for number, node in enumerate(self.objects) if node.start >= stop), None)
            leads = first == 0 or self._tag(first - 1) == "CC"
            owner = after if after is not None and (leads or before is None) else before
            if owner is not None:
                node = Node("attribute", start, stop, self._join(first, end), "position")
                self.attributes.append((node, owner))

    def _object_before(self, place: int) -> int | None:
        before = [number for number, node in enumerate(self.objects) if node.end <= place]
        return before[-1] if before else None

    # -- relations

    def _read_relations(self) -> None:
        for first, verb, end, complement in self._relation_spans():
            target = self._target(end) if complement else None
            node = self._relation(first, verb, end)
            self.relations.append((node, self._subject(first, verb), target))

    def _relation_spans(self) -> Iterator[tuple[int, int | None, int, bool]]:
        """(first token, token of the verb or None, one past the last token, whether something follows it)."""
        index = 0
        while index < len(self.tokens):
            if self._in_phrase(index):
                index += 1
            elif self._tag(index) in _VERBS:
                after = self._after_verb(index)
                if not self._leads_on(index):
                    end = self._with_preposition(after)
                    yield index, index, end, True
                    after = max(after, end)
                index = after
            elif index in self.prepositions:
                end = self.prepositions[index]
                if self._counts(index, end):
                    yield index, None, end, True
                index = end
            else:
                index += 1

    def _in_phrase(self, index: int) -> bool:
        return any(phrase.first <= index < phrase.end for phrase, _ in self.phrase_at.values())

    def _after_verb(self, index: int) -> int:
        """One past the verb and its particles (`lift up`, `sitting out`); the preposition is not among them."""
        end = index + 1
        while self._is(end, "particle") and end not in self.phrase_at:
            longer = self.prepositions.get(end, end + 1) > end + 1
            if longer or self._reaches_phrase(end + 1) or self._tag(end) not in ("IN", "RB"):
                break
            end += 1
        return end

    def _reaches_phrase(self, index: int) -> bool:
        return index in self.phrase_at or self._tag(index) in ("PRP", "DT", "PRP$") or self._is_waiting(index)

    def _is_waiting(self, index: int) -> bool:
        """Whether a quantity's phrase begins here, which has no entry of its own (`a group of people`)."""
        return self._phrase(index) is not None

    def _with_preposition(self, end: int) -> int:
        """The end of a verb's relation with the preposition beside it, if that leads to an object."""
        stop = self.prepositions.get(end)
        return stop if stop is not None and self._counts(end, stop) else end

    def _counts(self, first: int, end: int) -> bool:
        """Whether a preposition leads to an object or a pronoun; `of` needs an object in front as well."""
        if self._join(first, end) == "of" and not self._ends_object(first):
            return False
        return self._tag(end) == "PRP" or self._target(end) is not None or self._counts_them(end)

    def _counts_them(self, index: int) -> bool:
        """`five of them`"""
        return self._tag(index) == "CD" and self._word(index + 1) == "of" and self._tag(index + 2) == "PRP"

    def _ends_object(self, index: int) -> bool:
        return any(phrase.end == index and number is not None for phrase, number in self.phrase_at.values())

    def _target(self, index: int) -> int | None:
        """The object whose noun phrase begins at a token, quantities and sorts of it skipped."""
        while index < len(self.tokens):
            if index in self.phrase_at:
                return self.phrase_at[index][1]
            phrase = self._phrase(index)
            if phrase is None or self._word(phrase.end) != "of":
                return None
            index = phrase.end + 1
        return None

    def _subject(self, first: int, verb: int | None) -> int | None:
        """A finite verb's subject opens the clause; whatever else relates the object just before it."""
        nearest = self._object_before(self.tokens[first].start)
        if verb is None or nearest is None:
            return nearest
        if self._tag(first - 1) == "PRP":
            return None
        nearest = self._acting(nearest)
        finite = self._tag(verb) in ("VB", "VBZ", "VBD") or self._tag(first - 1) == "BE"
        if not finite and self._word(first - 1) not in ("and", ","):
            return nearest
        start = max(
            (
                token.end
                for token in self.tokens[:first]
                if token.tag == "SUB" and token.word not in ("who", "which", "that")
            ),
            default=0,
        )
        later = [n for n, node in enumerate(self.objects) if start <= node.start < self.tokens[first].start]
        return later[0] if later else nearest

    def _acting(self, nearest: int) -> int:
        """The nearest object that may act (`a man in uniform holding ...`: the man); itself where there is none."""
        acting = {"person", "animal", "vehicle"}
        others = range(nearest, -1, -1)
        return next((n for n in others if acting & set(self.lexicon.kinds(self.objects[n].lemma))), nearest)

    def _leads_on(self, index: int) -> bool:
        """A verb that only leads to another (`trying to lift`, `getting ready to`), or to a likeness (`looks like`)."""
        word, forms = self._word(index), {base for base, _ in self.lexicon.verbs.get(self._word(index), ())}
        if word in self.lexicon.words["showing"] and self._is(index - 1, "picture"):
            return True
        if forms & {"look", "seem", "appear"} and self._word(index + 1) in ("like", "as"):
            return True
        if not forms & self.lexicon.words["catenative"]:
            return False
        after = index + 1
        while self._is(after, "leading") or self._tag(after) == "RB":
            after += 1
        if self._word(after) == "to" and self._tag(after + 1) in ("VB", "BE"):
            return True
        return bool(forms & {"start", "begin", "stop", "go", "continue", "get", "like"}) and (
            self._tag(index + 1) in ("VBG", "VBN") and word not in ("gets",)
        )

    def _relation(self, first: int, verb: int | None, end: int) -> Node:
        start, stop = self.tokens[first].start, self.tokens[end - 1].end
        if verb is None:
            name = self._join(first, end)
            return Node("relation", start, stop, name, "IN", "", name)
        tag = self._tag(verb)
        base = next((base for base, form in self.lexicon.verbs.get(self._word(verb), ()) if form == tag), None)
        base = base or self._guess_base(self._word(verb))
        rest = self._join(first + 1, end)
        perfect = {"has", "have", "had"} & {self._word(first - 1), self._word(first - 2)}
        form = "passive" if tag == "VBN" and not perfect else tag
        return Node("relation", start, stop, f"{base} {rest}".strip(), form, base, rest)

    def _guess_base(self, word: str) -> str:
        forms = self.lexicon.verbs.get(word, ())
        return forms[0][0] if forms else word

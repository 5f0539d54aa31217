"""What may stand in a node's place, with weights: words of the corpus of the same kind and form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from unimo.augment.graph import Node, SceneGraph
from unimo.augment.inflection import verb_forms
from unimo.augment.lexicon import Lexicon
from unimo.augment.said import Said
from unimo.augment.vocabulary import keys_of, place_of, relation_class

POOL = 400  # most candidates of a node that are looked at, by falling frequency
SAME_KIND = 5  # times as often as its frequency: a person for a person, rather than a dog
ENOUGH = 4  # candidates of the same context, below which wider ones are looked at
USUAL = 0.2  # least share of a noun's singulars that stand in a form, where it counts as usual
_PLACES = frozenset({"outdoors", "water place", "room", "building", "furniture", "structure"})
_LIVING = frozenset({"person", "animal"})
_OTHER_SEX = {"male": "female", "female": "male"}


class Replacements:
    """Candidates from the vocabulary of a corpus; never what may be true of the image.

    Nor what a pronoun tells, which would give the rewrite away without the picture: a single object that a `her` of the
    caption may speak of (all but those said to be male) is replaced by what may be a she, and where there is nothing of
    the kind it stays. The pronoun's own noun is not looked for.
    """

    def __init__(
        self, tables: Mapping[str, Mapping[str, Mapping[str, int]]], lexicon: Lexicon, min_count: int = 3
    ) -> None:
        """``tables``: as `Vocabulary.to_json` gives them; rarer words than ``min_count`` are not drawn."""
        self.tables, self.lexicon, self.min_count = tables, lexicon, min_count
        self.surfaces = {key: _most_frequent(counts) for key, counts in tables["surfaces"].items()}
        self.frequencies = {key: _frequencies(counts) for key, counts in tables["surfaces"].items()}
        singulars = [f"object {form}" for form in ("bare", "one", "definite")]
        self.surfaces["object definite"] = {
            lemma: surface for key in singulars for lemma, surface in self.surfaces.get(key, {}).items()
        }
        joined = sum((Counter(self.frequencies.get(key, {})) for key in singulars), Counter[str]())
        self.frequencies["object definite"] = dict(sorted(joined.items(), key=lambda pair: (-pair[1], pair[0])))
        self.replaceable = lexicon.words["replaceable"] | lexicon.words["spatial"]
        self.prepositions: Counter[str] = Counter()
        for counts in tables["relations_to"].values():
            for name, count in counts.items():
                kind, _, preposition = name.split("|")
                self.prepositions[preposition] += count if kind == "at" else 0
        self._drop_unusual_forms()
        self.by_kind: dict[tuple[str, str], dict[str, int]] = {}
        """(form of an object, kind) -> frequencies of those of the kind."""
        for key, counts in self.frequencies.items():
            for lemma, count in counts.items() if key.startswith("object") else ():
                for kind in lexicon.kinds(lemma):
                    self.by_kind.setdefault((key, kind), {})[lemma] = count

    def _drop_unusual_forms(self) -> None:
        """Keep stuff out of where things are counted, and things from where stuff stands (`a water`, `on bench`)."""
        total = self.frequencies["object definite"]
        for form in ("object one", "object bare"):
            for lemma, count in self.frequencies.get(form, {}).items():
                if count < USUAL * total[lemma]:
                    del self.surfaces[form][lemma]

    def for_nodes(self, graph: SceneGraph, said: Said) -> list[tuple[Node, dict[str, int]]]:
        """Every node that has any, with its replacements as they would stand in the text, and their weights.

        Args:
            graph: of a caption.
            said: what all captions of its image say.
        """
        attributes = [(node, self._for_attribute(graph, node, owner, said)) for node, owner in graph.attributes]
        if any(weights and self.lexicon.attributes.get(node.lemma) for node, weights in attributes):
            # an adjective of no known kind may be as true as the one it replaces: only where there is no other
            kept = self.lexicon.attributes
            attributes = [pair for pair in attributes if pair[0].lemma in kept or pair[0].form == "position"]
        found = [
            *((node, self._for_object(graph, number, said)) for number, node in enumerate(graph.objects)),
            *attributes,
            *((each[0], self._for_relation(graph, *each, said)) for each in graph.relations),
        ]
        return [(node, weights) for node, weights in found if weights]

    def _for_object(self, graph: SceneGraph, number: int, said: Said) -> dict[str, int]:
        node = graph.objects[number]
        key = f"object {node.form}"
        surfaces = self.surfaces.get(key, {})
        own = set(self.lexicon.kinds(node.lemma))
        living = own | _LIVING if own & _LIVING else own  # a dog for a man, where dogs do what he does
        against = self._belied_sexes(graph.text, node)
        contexts = self._contexts(graph, number)
        places: list[tuple[Mapping[str, int], set[str] | None]] = [(counts, living) for counts in contexts]
        if not own:  # what we know no kind of, such as events, goes before things
            places += [(counts, None) for counts in contexts]
        places += [(self.by_kind.get((key, kind), {}), own) for kind in sorted(own)]
        found: dict[str, int] = {}
        for counts, kinds in places:
            for lemma, count in counts.items():
                theirs = set(self.lexicon.kinds(lemma))
                fits = kinds is None or bool(kinds & theirs) or not (kinds or theirs)
                fits = fits and self.lexicon.sex(lemma) not in against
                if fits and lemma in surfaces and count >= self.min_count and not said.may_be_object(lemma):
                    count *= SAME_KIND if own & theirs else 1
                    found[surfaces[lemma]] = found.get(surfaces[lemma], 0) + count
                    if len(found) >= POOL:
                        break
            if len(found) >= ENOUGH:
                return found
        return found

    def _belied_sexes(self, text: str, node: Node) -> set[str]:
        """The sexes that no replacement of an object may say, since a pronoun that may speak of it says the other."""
        if node.form == "plural":
            return set()
        own = self.lexicon.sex(node.lemma)
        told = {sex for sex in self.lexicon.told_sexes(text) if own in (sex, "any")}
        return {_OTHER_SEX[sex] for sex in told}

    def _contexts(self, graph: SceneGraph, number: int) -> list[Mapping[str, int]]:
        """Counts of what stands where the object stands: as object of its relation, else as the subject."""
        after = [place_of(graph, node, subject) for node, subject, target in graph.relations if target == number]
        before = [node.lemma for node, subject, _ in graph.relations if subject == number and node.lemma != "of"]
        if after:
            return [self.tables["objects_after"].get(after[0], {})]
        return [self.tables["objects_before"].get(before[0], {})] if before else []

    def _for_attribute(self, graph: SceneGraph, node: Node, owner: int, said: Said) -> dict[str, int]:
        surfaces = self.surfaces.get(f"attribute {node.form}", {})
        if node.form == "position":
            against = {other for word in node.lemma.split() for other in self.lexicon.opposites.get(word, ())}
            counts = self.frequencies.get("attribute position", {})
            return {each: n for each, n in counts.items() if against & set(each.split()) and each not in said.words}
        kinds = set(self.lexicon.attributes.get(node.lemma, ()))
        if node.lemma in self.lexicon.told_sexes(graph.text):
            return {}  # "a male surfer on his board"
        found: dict[str, int] = {}
        for key in keys_of(graph.objects[owner].lemma, self.lexicon):
            for lemma, count in self.tables["attributes_of"].get(key, {}).items():
                known = set(self.lexicon.attributes.get(lemma, ()))
                same_kind = bool(kinds & known) if kinds else not known
                if same_kind and lemma in surfaces and count >= self.min_count and not said.may_be_attribute(lemma):
                    found[lemma] = found.get(lemma, 0) + count
            if len(found) >= ENOUGH:
                break
        return found

    def _for_relation(
        self, graph: SceneGraph, node: Node, subject: int | None, target: int | None, said: Said
    ) -> dict[str, int]:
        if node.lemma in self.lexicon.opposites:
            return self._opposite_places(node, graph, target, said)
        wanted = relation_class(graph, node, target, self.lexicon)
        if wanted is None or (wanted == "at" and node.lemma not in self.replaceable):
            return {}
        kinds = self.lexicon.kinds(graph.objects[target].lemma) if target is not None else ()
        if wanted == "at" and "clothing" in kinds:
            return {}  # what else than "in a shirt"? "without" alone would tell the negative
        if node.lemma == "at" and not _PLACES & set(kinds):
            return {}  # it belongs to a verb further in front: "looking out the window at a man"
        classes = {wanted}
        if wanted == "at" and subject is not None and self._follows_subject(graph, node, subject):
            classes.add("to")
        found: dict[str, int] = {}
        for counts in self._relation_contexts(graph, subject, target, wanted):
            for name, count in counts.items():
                kind, verb, preposition = name.split("|")
                fits = count >= self.min_count and kind in classes
                if fits and self._may_relate(verb, preposition, graph, target, said):
                    form = self._relation_text(verb, preposition, "VBG" if node.form == "IN" else node.form)
                    found[form] = found.get(form, 0) + count
            if len(found) >= ENOUGH:
                break
        return found

    def _opposite_places(self, node: Node, graph: SceneGraph, target: int | None, said: Said) -> dict[str, int]:
        """Only what is excluded: a thing above another one may be left of it as well."""
        head = graph.objects[target].lemma if target is not None else ""
        against = [each for each in sorted(self.lexicon.opposites[node.lemma]) if not said.may_be_at(each, head)]
        return {each: self.prepositions[each] for each in against if self.prepositions[each] >= self.min_count}

    def _follows_subject(self, graph: SceneGraph, node: Node, subject: int) -> bool:
        """Whether somebody stands right before a preposition: `a man on a bike` may be `a man pushing a bike`."""
        owner = graph.objects[subject]
        return bool(_LIVING & set(self.lexicon.kinds(owner.lemma))) and node.start - owner.end <= 1

    def _relation_contexts(
        self, graph: SceneGraph, subject: int | None, target: int | None, wanted: str
    ) -> Iterable[Mapping[str, int]]:
        if target is None:
            for key in keys_of(graph.objects[subject].lemma, self.lexicon) if subject is not None else []:
                yield self.tables["relations_of"].get(f"{key} {wanted}", {})
            return
        for key in keys_of(graph.objects[target].lemma, self.lexicon):
            yield self.tables["relations_to"].get(key, {})

    def _may_relate(self, verb: str, preposition: str, graph: SceneGraph, target: int | None, said: Said) -> bool:
        if not verb:
            object_lemma = graph.objects[target].lemma if target is not None else ""
            return preposition in self.lexicon.words["spatial"] and not said.may_be_at(preposition, object_lemma)
        return verb not in self.lexicon.words["unfit"] and not said.may_do(verb)

    @staticmethod
    def _relation_text(verb: str, preposition: str, form: str) -> str:
        if not verb:
            return preposition
        return f"{verb_forms(verb)['VBN' if form == 'passive' else form]} {preposition}".strip()


def _frequencies(counts: Mapping[str, int]) -> dict[str, int]:
    """lemma -> count of all its words, from ``lemma|word``."""
    found: dict[str, int] = {}
    for name, count in counts.items():
        lemma = name.partition("|")[0]
        found[lemma] = found.get(lemma, 0) + count
    return found


def _most_frequent(counts: Mapping[str, int]) -> dict[str, str]:
    """lemma -> its most frequent word, from ``lemma|word`` by falling count."""
    found: dict[str, str] = {}
    for name in counts:
        lemma, _, surface = name.partition("|")
        found.setdefault(lemma, surface)
    return found

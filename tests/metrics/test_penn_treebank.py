"""Tokens against what Stanford's PTBTokenizer 3.4.1 answered, written down here, and against the program itself."""

from __future__ import annotations

import shutil

import pytest

from unimo.metrics.captioning import tokenize_caption
from unimo.metrics.penn_treebank import penn_tokens

# text -> the Java program's tokens, without those that pycocoevalcap leaves out
ANSWERS = {
    "A man's dog, who \"can't\" run.": "a man 's dog who ca n't run",
    "A flat screen T.V. ": "a flat screen t.v.",
    "the intersection of S Lane St. and 12th Ave S.": "the intersection of s lane st. and 12th ave s",
    "An old- fashioned train at 5:54pm.": "an old fashioned train at 5:54 pm",
    "people near a 'no peddling' sign": "people near a no peddling sign",
    "22 3/4 street, 8th Ave/CTH D.": "22\xa03/4 street 8th ave/cth d",
    "a factory in KY.": "a factory in ky.",
    "food for an elephant/": "food for an elephant /",
    "2 people (tall) [and] {short}": "2 people -lrb- tall -rrb- -lsb- and -rsb- -lcb- short -rcb-",
    "a girls .neck. trying to .hit": "a girls neck trying to hit",
    "A. clear vase, a lady Victoria L. Leak": "a. clear vase a lady victoria l. leak",
    "grade A. The red": "grade a the red",
    "an M&amp;Ms shirt I&lt;3NY AT&T Q&A black&white": "an m&m s shirt i < 3ny at&t q&a black & white",
    "cannot gonna gotta lemme gimme wanna": "can not gon na got ta lem me gim me wan na",
    "it's its' I'm I've he'll he'd they're shouldn't've": "it 's its i 'm i 've he 'll he 'd they 're should n't 've",
    "'twas 'em 'til 'cause 'n' rock 'n roll '90s y'all": "'t was 'em 'til 'cause 'n' rock 'n roll '90s y' all",
    "o'clock ma'am O'Reilly l'amour Dunkin' Donuts": "o'clock ma'am o'reilly l'amour dunkin' donuts",
    "$100 $1,000.50 #1 No. 1 and 20% 80's 3rd 6'2\"": "$ 100 $ 1,000.50 # 1 no. 1 and 20 % 80 's 3rd 6 2",
    "well-known- x --hello a--b -ependent": "well-known x hello a b ependent",
    "hello... yes!! what?! no?": "hello yes !! what ?! no",
    "“It\u2019s” \u2018single\u2019 don\u2019t \u2013 en — em … dots café": "it 's single do n't en em dots café",
    "½ cup £5 €6 a+b on=f x_ foo_bar **x** ~": "1/2 cup # 5 $ 6 a + b on = f x _ foo_bar ** x ** ~",
    "see http://x.y/z. foo@example.com www.foo.com #tag": "see http://x.y/z foo@example.com www.foo.com #tag",
    "the number '93' and '95": "the number 93 and '95",
    "<b>bold</b> i <3 you :) ;-)": "<b> bold </b> i < 3 you :-rrb- ;--rrb-",
    "end.Next a.m. p.m. 10am U.S.-based Ph.D. 10.5-inch": "end.next a.m. p.m. 10am u.s.-based ph.d. 10.5-inch",
    "La. is Miss. but la. is miss.": "la. is miss. but la is miss",
    "-lrb- afc -rrb-": "-lrb- afc -rrb-",
    "": "",
}


@pytest.mark.parametrize("text", list(ANSWERS))
def test_tokens_are_those_of_the_java_program(text: str) -> None:
    assert tokenize_caption(text) == ANSWERS[text]


def test_the_answers_are_the_java_programs() -> None:
    if shutil.which("java") is None:
        pytest.skip("java is not there")
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    # the program reads all as one text, in which a caption mostly follows that begins with "A"
    lines = [line for text in ANSWERS for line in (text, "A dog.")]
    found = PTBTokenizer().tokenize({number: [{"caption": line}] for number, line in enumerate(lines)})
    assert [found[2 * number][0] for number in range(len(ANSWERS))] == list(ANSWERS.values())


def test_nothing_is_lost() -> None:
    text = "a (b) - c; \"d\" 'e' `f` ... g!\th\nü ∑ 日本 🐶"
    kept = "".join(penn_tokens(text))
    for character in "abcdefgh-;\"'`.!ü∑日本🐶":
        assert character in kept


def test_long_texts_take_no_longer_a_word() -> None:
    for word in ("a", "a-", "'", "<a ", "a n't ", "&", "1", "A&", "a.b"):
        assert penn_tokens(word * 20_000)  # of the square of its length it would take minutes

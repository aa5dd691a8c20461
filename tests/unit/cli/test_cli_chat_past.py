import io

from headrace.cli.api_replies import Message, Tree
from headrace.cli.chat_past import branch, show_past
from headrace.cli.screen import Screen
from headrace.core.messages import ReasoningPart, TextPart


def message(
    number: int, parent: int | None, text: str = "", *, role: str = "user", status: str = "complete"
) -> Message:
    return Message(id=number, parent_id=parent, role=role, parts=(TextPart(text),) if text else (), status=status)


def tree(leaf: int | None, *messages: Message) -> Tree:
    return Tree(id=1, title=None, system_prompt=None, leaf_id=leaf, messages=messages)


def shown(*messages: Message) -> tuple[str, str]:
    answer, notes = io.StringIO(), io.StringIO()
    show_past(Screen(answer, notes), messages)
    return answer.getvalue(), notes.getvalue()


def test_the_branch_is_the_way_to_the_leaf() -> None:
    one, two, other, three = message(1, None), message(2, 1), message(3, 1), message(4, 2)
    assert branch(tree(4, one, two, other, three)) == [one, two, three]


def test_an_empty_chat_has_no_branch() -> None:
    assert branch(tree(None)) == []


def test_a_tree_that_is_none_ends_too() -> None:
    one, two = message(1, 2), message(2, 1)
    assert branch(tree(2, one, two)) == [one, two]


def test_questions_are_told_from_answers() -> None:
    answer = Message(2, 1, "assistant", (ReasoningPart("hm"), TextPart("Hello.")), "complete")
    assert shown(message(1, None, "Hi\nthere"), answer) == ("> Hi\n  there\nHello.\n", "")


def test_only_the_last_messages_are_shown() -> None:
    answer, notes = shown(*(message(number, None, str(number)) for number in range(1, 7)))
    assert answer == "> 3\n> 4\n> 5\n> 6\n"
    assert notes == "[2 messages before]\n"


def test_of_a_long_message_the_end_is_shown() -> None:
    answer, notes = shown(message(1, None, "a" * 100 + "b" * 2000, role="assistant"))
    assert answer == "b" * 2000 + "\n"
    assert notes == "[100 characters before]\n"


def test_an_answer_that_was_cut_is_called_so() -> None:
    assert shown(message(1, None, "Hel", role="assistant", status="interrupted")) == ("Hel\n", "[interrupted]\n")


def test_the_line_of_an_answer_that_goes_on_stays_open() -> None:
    assert shown(message(1, None, "Hel", role="assistant", status="streaming")) == ("Hel", "")


def test_what_commands_a_terminal_is_escaped_here_too() -> None:
    assert shown(message(1, None, "\x1b[2J"))[0] == "> \\x1b[2J\n"

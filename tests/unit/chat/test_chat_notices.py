from headrace.chat.notices import Board, Notice

ANN, BOB = 1, 2


class Page:
    def __init__(self, board: Board, user_id: int) -> None:
        self.notices: list[Notice] = []
        self.ends = 0
        self.leave = board.subscribe(user_id, self.notices.append, self._end)

    def _end(self) -> None:
        self.ends += 1


CHANGED = Notice(type="chat.changed", chat_id=7)


def test_all_pages_of_a_user_are_told_and_nobody_elses() -> None:
    board = Board()
    pages, other = [Page(board, ANN), Page(board, ANN)], Page(board, BOB)
    board.post(ANN, CHANGED)
    assert [page.notices for page in pages] == [[CHANGED], [CHANGED]]
    assert other.notices == []


def test_what_all_may_know_is_told_to_all() -> None:
    board = Board()
    pages = [Page(board, ANN), Page(board, BOB)]
    board.post_to_all(CHANGED)
    assert [page.notices for page in pages] == [[CHANGED], [CHANGED]]


def test_a_page_that_has_left_is_told_nothing() -> None:
    board = Board()
    page, stays = Page(board, ANN), Page(board, ANN)
    page.leave()
    page.leave()
    board.post(ANN, CHANGED)
    board.close()
    assert (page.notices, page.ends, len(stays.notices)) == ([], 0, 1)


def test_a_page_may_leave_while_it_is_told() -> None:
    board = Board()
    first = Page(board, ANN)
    board.subscribe(ANN, lambda _: first.leave(), first.leave)
    board.post(ANN, CHANGED)
    board.post(ANN, CHANGED)
    assert first.notices == [CHANGED]


def test_who_comes_when_the_server_ends_is_told_so_as_well() -> None:
    board = Board()
    page = Page(board, ANN)
    board.close()
    late = Page(board, BOB)
    assert (page.ends, late.ends) == (1, 1)

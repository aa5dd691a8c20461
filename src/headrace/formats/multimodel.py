"""This module speaks the contract of the multi-model chat: named events that tell who answers.

Sources: "Streaming Implementation for Multi-Model Architecture"; "The five systems that Headrace replaces",
"2. Multi-model". Each event has an `event:` line, and its name again as `type` in the data. A model is always
`{"id", "name", "provider"}`; its parts are null until it is known who answers, which only a run that ends before that
shows.
"""

from typing import Literal, assert_never

import msgspec

from headrace.core import events
from headrace.formats import contract

__all__ = ["Complete", "Decoder", "Encoder", "Event", "Model", "ModelState", "Route", "Start"]


class Model(msgspec.Struct, frozen=True):
    """Who answers. `id` is `provider/model`."""

    id: str | None
    name: str | None
    provider: str | None


class Route(msgspec.Struct, frozen=True):
    """Why this model: the kind of question, and the reason in a few words; empty where it was not chosen by that."""

    category: str = ""
    reason: str = ""


class Start(msgspec.Struct, frozen=True, tag="start"):
    """The beginning."""

    model: Model
    route: Route
    user_message_id: int | None
    assistant_message_id: int | None
    run_id: str = ""


class ModelState(msgspec.Struct, frozen=True, tag="model", omit_defaults=True):
    """The model is being loaded (`progress` from 0 to 1 where it is known), is ready, or is another than said before.

    Of a switch `origin` (`from` on the wire) and `reason` tell more where the run does.
    """

    state: Literal["loading", "ready", "switched"]
    model: Model
    progress: float | None = None
    origin: Model | None = msgspec.field(name="from", default=None)
    reason: str | None = None


class Complete(contract.Textless, frozen=True, tag="complete"):
    """The end."""

    user_message_id: int | None
    assistant_message_id: int | None
    model: Model


Event = Start | ModelState | contract.Chunk | contract.Thought | Complete | contract.Error


class Encoder(contract.Encoder):
    """A reader's stream as of `POST /api/chats/{chat_id}/generate-stream`.

    `start` waits for the run to tell the model; most do so at once, the others when their turn has come.
    """

    token = b"event: chunk\n" + contract.CHUNK
    thought = b"event: thought\n" + contract.THOUGHT

    def __init__(self) -> None:
        super().__init__()
        self._is_loading = False

    def _ready(self) -> bool:
        return self._model is not None

    def _opening(self) -> bytes:
        run = self._run
        route = Route() if run.route is None else Route(run.route.category, run.route.reason)
        model = _model(self._model)
        return self._frame(Start(model, route, run.user_message_id, run.assistant_message_id, run.run_id))

    def _loading(self, event: events.ModelLoading | events.ModelReady | events.ModelSwitched) -> bytes:
        was_loading, self._is_loading = self._is_loading, isinstance(event, events.ModelLoading)
        match event:
            case events.ModelLoading(model, progress):
                return self._frame(ModelState("loading", _model(model), progress))
            case events.ModelSwitched(origin, to, reason):
                return self._frame(ModelState("switched", _model(to), origin=_model(origin), reason=reason))
            case events.ModelReady(model):
                if was_loading:
                    return self._frame(ModelState("ready", _model(model)))
                if self._opened and model != self._model:
                    return self._frame(ModelState("switched", _model(model)))
                return b""
            case _ as unreachable:
                assert_never(unreachable)

    def _closing(self) -> Complete:
        run = self._run
        return Complete(run.user_message_id, run.assistant_message_id, _model(self._model), **self._figures())

    def _frame(self, said: msgspec.Struct) -> bytes:
        return b"event: %b\n%b" % (str(said.__struct_config__.tag).encode(), super()._frame(said))


class Decoder(contract.Decoder[Event]):
    """The events of `POST /api/chats/{chat_id}/generate-stream`."""

    kinds = Event


def _model(model_id: str | None) -> Model:
    if model_id is None:
        return Model(None, None, None)
    provider, slash, name = model_id.partition("/")
    return Model(model_id, name, provider) if slash else Model(model_id, model_id, None)

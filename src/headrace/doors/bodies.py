"""This module describes what requests of our own API carry, and refuses by name what is not there yet."""

import uuid
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from headrace.chat.templates import MAX_NAME, MAX_TEXT, MAX_VARIABLES, Use
from headrace.core.messages import ImagePart, Part, TextPart
from headrace.store import records
from headrace.store.records import Variable

__all__ = [
    "Body",
    "ChatBody",
    "ChatChanges",
    "Generation",
    "Parameters",
    "TemplateBody",
    "TemplateChanges",
    "TryBody",
    "TurnBody",
    "VariableBody",
]

MAX_PARTS = 64

Title = Annotated[str, StringConstraints(min_length=1, max_length=200)]
ModelName = Annotated[str, StringConstraints(min_length=1, max_length=200)]
SystemPrompt = Annotated[str, StringConstraints(max_length=100_000)]
RowId = Annotated[int, Field(ge=1)]
TemplateName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
TemplateText = Annotated[str, StringConstraints(min_length=1, max_length=100_000)]
VariableName = Annotated[str, StringConstraints(min_length=1, max_length=MAX_NAME)]
Description = Annotated[str, StringConstraints(max_length=1000)]
Value = Annotated[str, StringConstraints(max_length=MAX_TEXT)]


def _unavailable(name: str) -> AfterValidator:
    def refuse(value: Any) -> Any:
        if value is not None:
            raise PydanticCustomError("not_available", f"This version has no {name} yet.")
        return value

    return AfterValidator(refuse)


class Body(BaseModel):
    """The body of a request: no field but those that are named."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Parameters(Body):
    """How to generate: the names of OpenAI's chat API, and those that llama.cpp and vLLM added to it.

    Everything else is refused: nothing that a client sends may reach a URL, a header or a path.
    """

    temperature: Annotated[float, Field(ge=0, le=5)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    stop: Annotated[str, Field(max_length=1000)] | Annotated[list[str], Field(max_length=16)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    repeat_penalty: Annotated[float, Field(ge=0, le=10)] | None = None
    logit_bias: dict[str, float] | None = None
    reasoning_effort: Annotated[str, Field(max_length=20)] | None = None
    response_format: dict[str, Any] | None = None
    tools: Annotated[list[dict[str, Any]], Field(max_length=128)] | None = None
    tool_choice: str | dict[str, Any] | None = None

    def given(self) -> dict[str, Any]:
        """Return those that were given."""
        return self.model_dump(exclude_none=True) if self.model_fields_set else {}


_NO_PARAMETERS = Parameters()


class TextBody(Body):
    """A piece of text."""

    type: Literal["text"]
    text: Annotated[str, StringConstraints(min_length=1, max_length=MAX_TEXT)]


class ImageBody(Body):
    """A picture, as base64."""

    type: Literal["image"]
    media_type: Literal["image/png", "image/jpeg", "image/webp", "image/gif"]
    data: Annotated[str, StringConstraints(min_length=1, pattern=r"^[A-Za-z0-9+/]+={0,2}$")]


PartBody = Annotated[TextBody | ImageBody, Field(discriminator="type")]


class ChatBody(Body):
    """A new chat. `model` and `parameters` hold for its turns unless a turn says otherwise."""

    title: Title | None = None
    model: ModelName | None = None
    system_prompt: SystemPrompt | None = None
    parameters: Parameters = Field(default_factory=Parameters)


class ChatChanges(Body):
    """What to change of a chat; null clears. `leaf_id` is the message at which the conversation goes on."""

    title: Title | None = None
    model: ModelName | None = None
    system_prompt: SystemPrompt | None = None
    parameters: Parameters = Field(default_factory=Parameters)
    leaf_id: RowId | None = None


class Generation(Body):
    """How an answer is made. The same `client_id`, a UUID made by the client, twice gives the same run."""

    model: ModelName | None = None
    parameters: Parameters = Field(default_factory=lambda: _NO_PARAMETERS)  # one for all turns: nobody changes it
    client_id: Annotated[uuid.UUID, Field(strict=False)] | None = None


class MessageBody(Generation):
    """A message of the user's, as `content` or as `parts`; `variables` are the values of a template's variables."""

    content: Annotated[str, StringConstraints(min_length=1, max_length=MAX_TEXT)] | None = None
    parts: Annotated[list[PartBody], Field(min_length=1, max_length=MAX_PARTS)] | None = None
    variables: Annotated[dict[VariableName, Value], Field(max_length=MAX_VARIABLES)] | None = None

    @model_validator(mode="after")
    def _not_both(self) -> "MessageBody":
        if self.content is not None and self.parts is not None:
            raise _either_or()
        return self

    def message(self) -> tuple[Part, ...]:
        """Return the message's parts."""
        if self.content is not None:
            return (TextPart(self.content),)
        return tuple(
            TextPart(part.text) if isinstance(part, TextBody) else ImagePart(part.media_type, part.data)
            for part in self.parts or ()
        )


class TurnBody(MessageBody):
    """The user's next message. With a template it is what that makes of it, and may have no text of its own.

    `parent_id` is the message that it answers: left out, the chat's current leaf; null, none (a new beginning).
    """

    parent_id: RowId | None = None
    template_id: RowId | None = None
    document_ids: Annotated[Any, _unavailable("documents")] = None

    @model_validator(mode="after")
    def _something(self) -> "TurnBody":
        if self.template_id is None and self.content is None and self.parts is None:
            raise _either_or()
        if self.template_id is None and self.variables:
            raise PydanticCustomError("no_template", "Variables are a template's: give 'template_id' too")
        return self

    def template(self) -> Use | None:
        """Return the template that makes the message."""
        return Use(self.template_id, self.variables or {}) if self.template_id is not None else None


class TryBody(MessageBody):
    """What to try a template with."""

    system_prompt: SystemPrompt | None = None


class VariableBody(Body):
    """What is said of a template's variable; its name alone is enough. Without `default` a value has to be given."""

    name: VariableName
    description: Description | None = None
    default: Value | None = None

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, given: Any) -> Any:
        return {"name": given} if isinstance(given, str) else given

    def variable(self) -> Variable:
        """Return it as it is stored."""
        return Variable(self.name, self.description, self.default)


class TemplateBody(Body):
    """A new template. Its variables are those in its text, as `{{name}}`; `variables` says more of them."""

    name: TemplateName
    description: Description | None = None
    content: TemplateText
    variables: Annotated[list[VariableBody], Field(max_length=MAX_VARIABLES)] = Field(default_factory=list)


class TemplateChanges(Body):
    """What to change of a template; null clears the description."""

    name: TemplateName = ""
    description: Description | None = None
    content: TemplateText = ""
    variables: Annotated[list[VariableBody], Field(max_length=MAX_VARIABLES)] = Field(default_factory=list)

    def changes(self) -> records.TemplateChanges:
        """Return those that were given."""
        given = {name: getattr(self, name) for name in self.model_fields_set}
        if "variables" in given:
            given["variables"] = tuple(each.variable() for each in self.variables)
        return records.TemplateChanges(**given)


def _either_or() -> PydanticCustomError:
    return PydanticCustomError("content_or_parts", "Give either 'content' or 'parts'")

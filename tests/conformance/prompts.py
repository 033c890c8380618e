"""Fixture prompts."""

from __future__ import annotations

import mcp_types as t

from tests.conformance import asking, content
from tests.conformance.asking import Context
from tests.conformance.content import text


def _argument(name: str) -> t.PromptArgument:
    return t.PromptArgument(name=name, description=f"The {name} of the prompt", required=True)


PROMPTS = [
    t.Prompt(name="test_simple_prompt", description="No arguments"),
    t.Prompt(
        name="test_prompt_with_arguments", description="Two arguments", arguments=[_argument("arg1"), _argument("arg2")]
    ),
    t.Prompt(name="test_prompt_with_embedded_resource", description="Embeds", arguments=[_argument("resourceUri")]),
    t.Prompt(name="test_prompt_with_image", description="Shows an image"),
    t.Prompt(name="test_input_required_result_prompt", description="Asks before it answers"),
]
NAMES = {prompt.name for prompt in PROMPTS}


def get(ctx: Context, params: t.GetPromptRequestParams) -> t.GetPromptResult | t.InputRequiredResult:
    """The fixture prompt of that name."""
    given = params.arguments or {}
    match params.name:
        case "test_prompt_with_arguments":
            blocks: list[t.ContentBlock] = [
                text(f"Prompt with arguments: arg1='{given.get('arg1')}', arg2='{given.get('arg2')}'")
            ]
        case "test_prompt_with_embedded_resource":
            words = "Embedded resource content for testing."
            blocks = [
                content.embedded(str(given.get("resourceUri")), "text/plain", words),
                text("Please process the embedded resource above."),
            ]
        case "test_prompt_with_image":
            blocks = [content.image(), text("Please analyze the image above.")]
        case "test_input_required_result_prompt":
            return asking.prompt(ctx, params)
        case _:
            blocks = [text("This is a simple prompt for testing.")]
    return t.GetPromptResult(messages=[t.PromptMessage(role="user", content=block) for block in blocks])

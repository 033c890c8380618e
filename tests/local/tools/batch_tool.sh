#!/bin/sh
# A batch tool in another language: it is described by what it prints, fetches its job, reports a step and a result.
if [ "$1" = "--print-tool-description" ]; then
    echo '{"$schema": "urn:sd-core:schema.ai-tool.1", "name": "shell", "description": "Say in a shell what was asked.",
        "fn_schema": {"type": "object", "properties": {"word": {"type": "string", "description": "What to say."}}}}'
    exit 0
fi
[ "$1" = "--print-service-description" ] && exit 3
ask() { curl --silent --show-error --fail --max-time 20 "$@"; }
job=$(ask "$IVCAP_BASE_URL/next_job") || exit 4
id=$(echo "$job" | sed 's/.*"id": "\([^"]*\)".*/\1/')
word=$(echo "$job" | sed 's/.*"word": "\([^"]*\)".*/\1/')
echo "reporting to $IVCAP_BASE_URL"
ask -H 'Content-Type: application/json' -d '{"name": "said", "options": {"message": "half way"}}' \
    "$IVCAP_BASE_URL/events/$id" || exit 5
ask -H 'Content-Type: application/json' -d "{\"said\": \"$word\"}" "$IVCAP_BASE_URL/results/$id" || exit 6

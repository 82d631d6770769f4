/**
 * The Jinja template that `transformers` and other readers use. Renders exactly what `renderChat`
 * does for the default special tokens.
 */
export const CHAT_TEMPLATE =
  "{{ '<|bos|>' }}" +
  "{% for message in messages %}" +
  "{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}" +
  "{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}";

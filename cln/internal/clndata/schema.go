package clndata

// standard turns a schema of Core Lightning's into one of JSON Schema: its own types become strings and integers, and
// what is documentation goes.
func standard(v any, request bool) any {
	s, ok := v.(map[string]any)
	if !ok {
		return v // a boolean schema
	}
	out := map[string]any{}
	for k, v := range s {
		switch k {
		case "type":
			for k, v := range types(v, request) {
				out[k] = v
			}
		case "required", "enum", "const", "minLength", "maxLength", "minItems", "maxItems":
			out[k] = v
		case "additionalProperties", "items", "not", "if", "then", "else":
			out[k] = standard(v, request)
		case "oneOf", "anyOf", "allOf":
			if k == "oneOf" {
				k = "anyOf" // "any" is both an amount and a string
			}
			list := []any{}
			for _, e := range v.([]any) {
				list = append(list, standard(e, request))
			}
			out[k] = list
		case "properties":
			props := map[string]any{}
			for name, e := range v.(map[string]any) {
				props[name] = standard(e, request)
			}
			out[k] = props
		}
	}
	return out
}

// types says what one of Core Lightning's types is in JSON Schema.
func types(v any, request bool) map[string]any {
	name, ok := v.(string)
	if !ok {
		return map[string]any{"type": v}
	}
	str := func(pattern string) map[string]any { return map[string]any{"type": "string", "pattern": pattern} }
	whole := map[string]any{"type": "integer", "minimum": 0}
	switch name {
	case "string", "boolean", "object", "array", "number", "integer", "null":
		return map[string]any{"type": name}
	case "u8", "u16", "u32", "u64":
		return whole
	case "msat":
		if request {
			return map[string]any{"anyOf": []any{whole, str("^[0-9]+(msat|sat)?$")}}
		}
		return whole
	case "msat_or_any":
		return map[string]any{"anyOf": []any{whole, str("^([0-9]+(msat|sat)?|any)$")}}
	case "hash", "secret", "txid":
		return str("^[0-9a-f]{64}$")
	case "pubkey":
		return str("^0[23][0-9a-f]{64}$")
	case "hex":
		return str("^([0-9a-f]{2})*$")
	case "bip340sig", "signature":
		return str("^[0-9a-f]{128}$")
	case "short_channel_id":
		return str("^[0-9]+x[0-9]+x[0-9]+$")
	}
	return map[string]any{"type": "string"}
}

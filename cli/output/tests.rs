use super::*;

#[test]
fn what_cannot_be_seen_is_escaped_in_json_and_means_the_same() {
    for text in ["\u{9b}31m", "a\u{202e}b", "\u{e0041}", "x\u{2028}\u{7f}", "👩‍👩‍👧 \"é\" \\ \n", "plain", ""]
    {
        let mut bytes = Vec::new();
        text.serialize(&mut Serializer::with_formatter(&mut bytes, Escaping)).unwrap();
        let json = String::from_utf8(bytes).unwrap();
        assert!(!json.chars().any(|c| c.is_control() || c == '\u{202e}' || c == '\u{e0041}'), "{json:?}");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }
    let mut bytes = Vec::new();
    "a\u{9b}b\u{e0041}".serialize(&mut Serializer::with_formatter(&mut bytes, Escaping)).unwrap();
    assert_eq!(bytes, br#""a\u009bb\udb40\udc41""#);
}

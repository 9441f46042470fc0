use super::Scenario;

#[test]
fn short_bytes_tell_long_stories_and_the_same_ones_again() {
    let story = Scenario::of_bytes(b"a");
    assert_eq!(story, Scenario::of_bytes(b"a"));
    assert!(story.script.split(" | ").count() > 3, "{}", story.script);
    assert_ne!(story, Scenario::of_bytes(b"b"));
}

#[test]
fn later_bytes_change_the_story_and_not_its_beginning() {
    let bytes = [7; 200];
    let mut changed = bytes;
    changed[150] ^= 0xff;
    let (one, other) = (Scenario::of_bytes(&bytes), Scenario::of_bytes(&changed));
    assert_eq!(one.seed, other.seed);
    assert_eq!(one.script[..20], other.script[..20]);
}

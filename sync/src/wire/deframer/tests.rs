use super::*;

/// Feeds `stream` in pieces and expects exactly `messages`.
fn check(stream: &[u8], piece: usize, messages: &[&[u8]]) {
    let mut deframer = Deframer::new(1_000);
    let mut got = Vec::new();
    for piece in stream.chunks(piece) {
        deframer.push(piece);
        while let Some(message) = deframer.poll_message().unwrap() {
            got.push(message.to_vec());
        }
    }
    assert_eq!(got, messages);
}

#[test]
fn messages_come_out_whole_whatever_the_pieces() {
    let long = [7; 300];
    let stream = [&[0, 3, 1, 2, 3, 0, 0, 0, 1, 9, 1, 44][..], &long].concat();
    for piece in [1, 2, 3, 5, 100, 10_000] {
        check(&stream, piece, &[&[1, 2, 3], &[], &[9], &long]);
    }
}

#[test]
fn what_is_not_whole_waits() {
    check(&[0, 2, 5], 1, &[]);
    check(&[0], 1, &[]);
}

#[test]
fn a_length_over_the_limit_is_refused_before_its_bytes_come() {
    let mut deframer = Deframer::new(1_000);
    deframer.push(&[0, 1, 8, 0x03]);
    assert_eq!(deframer.poll_message(), Ok(Some(&[8][..])));
    assert_eq!(deframer.poll_message(), Ok(None));
    deframer.push(&[0xe9]);
    assert_eq!(deframer.poll_message(), Err(TooLong { announced: 1_001 }));
    deframer.push(&[0; 2_000]);
    assert_eq!(deframer.poll_message(), Err(TooLong { announced: 1_001 }));
    deframer.set_max(1_001);
    assert_eq!(deframer.poll_message(), Ok(Some(&[0; 1_001][..])));
}

#[test]
fn what_was_taken_is_not_kept() {
    let mut deframer = Deframer::new(1_000);
    for _ in 0..1_000 {
        deframer.push(&[0, 4, 1, 2, 3, 4, 0]);
        assert_eq!(deframer.poll_message(), Ok(Some(&[1, 2, 3, 4][..])));
        assert_eq!(deframer.poll_message(), Ok(None));
        deframer.push(&[1, 5]);
        assert_eq!(deframer.poll_message(), Ok(Some(&[5][..])));
    }
    assert!(deframer.buffer.capacity() < 100);
}

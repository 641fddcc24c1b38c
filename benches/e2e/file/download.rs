//! A client that costs next to nothing: what arrives is counted and dropped.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// From the request until `length` bytes of its answer are there.
pub fn download(url: &str, length: usize) -> Duration {
    let rest = url.strip_prefix("http://").expect("an http URL");
    let (authority, path) = rest.split_at(rest.find('/').expect("a path"));
    let mut stream = TcpStream::connect(authority).expect("a connection");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
    let start = Instant::now();
    stream.write_all(request.as_bytes()).expect("a sent request");
    let received = read_body(&mut stream, url);
    let took = start.elapsed();
    assert_eq!(received, length, "{url}");
    took
}

/// The connection is closed after the body.
fn read_body(stream: &mut TcpStream, url: &str) -> usize {
    let mut buffer = vec![0; 512 * 1024];
    let mut head = Vec::new();
    let mut received = loop {
        let read = stream.read(&mut buffer).expect("an answer");
        assert!(read > 0, "{url} has no head");
        head.extend_from_slice(&buffer[..read]);
        if let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") {
            assert!(
                head.starts_with(b"HTTP/1.1 200 "),
                "{}",
                String::from_utf8_lossy(&head[..end])
            );
            break head.len() - end - 4;
        }
    };
    loop {
        match stream.read(&mut buffer).expect("the rest of an answer") {
            0 => return received,
            read => received += read,
        }
    }
}

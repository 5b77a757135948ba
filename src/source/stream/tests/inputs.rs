use super::*;

#[test]
fn a_file_on_standard_input_is_read_where_it_stands() {
    let place = Place::new();
    let tar = tar(5000);
    for (bytes, spools) in [(tar.clone(), 0), (pack(Outer::Zstd, &tar), 1)] {
        std::fs::write(place.path(), bytes).unwrap();
        assert_eq!(place.read(&File::open(place.path()).unwrap()).unwrap(), tar);
        assert_eq!(usize::from(place.dir.path().join("spools").exists()), spools);
    }
    // Something else was read of it before.
    std::fs::write(place.path(), [b"first line\n".to_vec(), tar.clone()].concat()).unwrap();
    let mut file = File::open(place.path()).unwrap();
    file.seek(SeekFrom::Start(11)).unwrap();
    assert_eq!(place.read(&file).unwrap(), tar);
}

#[cfg(unix)]
#[test]
fn a_pipe_is_read_to_its_end() {
    let tar = tar(3 << 20);
    for bytes in [tar.clone(), pack(Outer::Gzip, &tar)] {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let sending = std::thread::spawn(move || {
            for part in bytes.chunks(10_007) {
                writer.write_all(part).unwrap();
            }
        });
        let reader = File::from(std::os::fd::OwnedFd::from(reader));
        assert!(Place::new().read(&reader).unwrap() == tar);
        sending.join().unwrap();
    }
}

#[cfg(unix)]
#[test]
fn a_pipe_that_nobody_writes_into_is_told_of_and_can_be_left() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.tar");
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let (spools, left) = (SpoolDir::new(dir.path().to_owned()), CancellationToken::new());
    let waiting = |writer| {
        let bounds = Bounds { writer, ..Bounds::default() };
        let spooler = Spooler { spools: &spools, events: &Events::none(), left: &left, bounds };
        pipe(&path, &spooler).map(drop).unwrap_err().to_string()
    };
    assert!(waiting(Duration::from_millis(1)).contains("nobody wrote into it"));
    left.cancel();
    assert!(waiting(Duration::MAX).contains("could not read"));
}

#[cfg(unix)]
#[test]
fn a_pipe_of_something_else_is_left_at_once() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let sending = std::thread::spawn(move || while writer.write_all(&[b'x'; 8192]).is_ok() {});
    let reader = File::from(std::os::fd::OwnedFd::from(reader));
    let error = Place::new().read(&reader).unwrap_err();
    assert!(error.to_string().contains("it is no tar"), "{error}");
    drop(reader);
    sending.join().unwrap();
}

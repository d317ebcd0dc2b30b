"""Make unusual and broken videos."""

import random
import struct

import av
import cv2
import numpy as np

KINDS = ('cut', 'flipped', 'header', 'edited')


def write_video(path,
                pictures,
                width,
                height,
                codec='libx264',
                pix_fmt='yuv420p',
                step=lambda i: 1):
    """Write RGB pictures as a video of 25 frames a second.

    ``step(i)`` is the number of ticks between frame i and the next.
    """
    with av.open(str(path), 'w') as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = (
            width, height, pix_fmt, 8)
        if codec == 'libx265':
            stream.options = {'x265-params': 'log-level=none'}
        # A file of no frames has a header, too.
        container.start_encoding()
        tick = 0
        for i, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format='rgb24')
            frame = frame.reformat(format=pix_fmt)
            frame.pts, tick = tick, tick + step(i)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def encode(path, num_frames=24, width=96, height=64, grain=1, **settings):
    """Write a picture of noise that moves to the right.

    Its grains are ``grain`` pixels wide: smooth pictures stay the same when
    they are resized.
    """
    picture = np.random.RandomState(0).randint(
        0, 255, (height // grain, width // grain, 3), dtype=np.uint8)
    if grain > 1:
        picture = cv2.resize(
            picture, (width, height), interpolation=cv2.INTER_CUBIC)
    return write_video(path,
                       [np.roll(picture, 3 * i, 1) for i in range(num_frames)],
                       width, height, **settings)


def encode_colours(path, colours, width, height):
    """Write a frame of each colour (R, G, B)."""
    pictures = [
        np.full((height, width, 3), colour, np.uint8) for colour in colours
    ]
    return write_video(path, pictures, width, height)


def encode_audio(path):
    """Write half a second of silence, without pictures."""
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('aac', rate=8000)
        for _ in range(4):
            frame = av.AudioFrame.from_ndarray(
                np.zeros((1, 1024), dtype=np.float32),
                format='fltp',
                layout='mono')
            frame.sample_rate = 8000
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def odd_videos(folder):
    """Write unusual videos that can be read, and return their names."""
    for name, settings in {
            '1_frames.mp4': dict(num_frames=1),
            '2_frames.mp4': dict(num_frames=2),
            '3_frames.mp4': dict(num_frames=3),
            'ten_bits.mp4': dict(pix_fmt='yuv420p10le'),
            'variable_rate.mp4': dict(step=lambda i: 1 + i % 5),
            'odd_size.mkv': dict(width=97, height=65, pix_fmt='yuv444p'),
            'tiny.mp4': dict(width=40, height=24),
            'hevc.mp4': dict(codec='libx265'),
            'mpeg4.avi': dict(codec='mpeg4'),
            'über den Wölken 雲 🎈.mp4': {}
    }.items():
        encode(folder / name, **settings)
    data = encode(folder / 'wrong_extension.mp4').read_bytes()
    (folder / 'wrong_extension.mp4').rename(folder / 'wrong_extension.avi')
    matrix = data.index(b'tkhd') + 44  # of the track header, ISO 14496-12
    rotated = struct.pack('>9i', 0, 1 << 16, 0, -1 << 16, 0, 0, 64 << 16, 0,
                          1 << 30)
    (folder / 'rotated.mp4').write_bytes(data[:matrix] + rotated +
                                         data[matrix + 36:])
    return sorted(path.name for path in folder.iterdir())


def broken_videos(folder):
    """Write videos that cannot be read, and return their names."""
    data = encode(folder / 'truncated.mp4').read_bytes()
    (folder / 'truncated.mp4').write_bytes(data[:len(data) // 2])
    (folder / 'empty.mp4').touch()
    (folder / 'folder.mp4').mkdir()
    encode(folder / 'zero_frames.mkv', 0)
    encode_audio(folder / 'audio_only.mp4')
    (folder / 'unknown_codec.mp4').write_bytes(data.replace(b'avc1', b'zzzz'))
    (folder / 'text.mp4').write_text('this is no video\n' * 100)
    return ['missing.mp4', *sorted(path.name for path in folder.iterdir())]


def mutate(data, kind, generator: random.Random):
    """Return a damaged copy of the bytes of a file."""
    if kind == 'cut':
        return data[:generator.randrange(len(data))]
    damaged, begin, end = bytearray(data), 0, len(data)
    if kind == 'header':  # of an mp4; other containers have it first
        begin = max(0, data.find(b'moov'))
        end = min(end, begin + 1500)
    for _ in range(generator.choice([1, 3, 9, 30])):
        place, length = generator.randrange(begin, end), 1
        content = bytes([generator.randrange(256)])
        if kind == 'edited':
            length = generator.choice([0, generator.randrange(1, 64)])
            content *= generator.randrange(64)
        damaged[place:place + length] = content
    return bytes(damaged)

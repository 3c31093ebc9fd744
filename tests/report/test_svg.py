"""SVG drawings: scales, lines and escaped texts."""

from pipelines.report import svg


def test_a_scale_maps_ends_to_ends_and_an_empty_range_to_the_middle():
    scale = svg.Scale(10, 20, 0, 100)
    assert [scale(value) for value in (10, 15, 20)] == [0, 50, 100]
    assert svg.Scale(3, 3, 0, 100)(3) == 50
    assert svg.Scale(0, 1, 30, 6)(0.5) == 18  # upside down, as pixels count downwards


def test_a_line_through_three_points_is_two_lines():
    drawing = svg.lines([(0, 1), (50, 2), (100, 3)], "spark")
    assert drawing == (
        '<line x1="0.00%" y1="1.0" x2="50.00%" y2="2.0" class="spark"/>'
        '<line x1="50.00%" y1="2.0" x2="100.00%" y2="3.0" class="spark"/>'
    )


def test_texts_are_escaped():
    text = '<script>"&'
    for drawing in (
        svg.text((0, 0), text),
        svg.mark("dot", (0, 0), "own", text),
        svg.drawing(10, text, []),
    ):
        assert "<script" not in drawing
        assert "&lt;script&gt;&#34;&amp;" in drawing

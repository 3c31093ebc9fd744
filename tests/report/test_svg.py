from pipelines.report import svg


def test_a_scale_puts_its_ends_at_its_ends_and_what_is_alike_into_the_middle():
    scale = svg.Scale(10, 20, 0, 100)
    assert [scale(value) for value in (10, 15, 20)] == [0, 50, 100]
    assert svg.Scale(3, 3, 0, 100)(3) == 50
    assert svg.Scale(0, 1, 30, 6)(0.5) == 18  # downwards, as pixels are counted


def test_a_line_through_three_points_is_two_lines():
    drawn = svg.lines([(0, 1), (50, 2), (100, 3)], "spark")
    assert drawn == (
        '<line x1="0.00%" y1="1.0" x2="50.00%" y2="2.0" class="spark"/>'
        '<line x1="50.00%" y1="2.0" x2="100.00%" y2="3.0" class="spark"/>'
    )


def test_what_is_said_is_escaped():
    said = '<script>"&'
    for drawn in (
        svg.text((0, 0), said),
        svg.mark("dot", (0, 0), "own", said),
        svg.drawing(10, said, []),
    ):
        assert "<script" not in drawn
        assert "&lt;script&gt;&#34;&amp;" in drawn

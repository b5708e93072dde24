"""What a notebook shows of steps and kernels."""

import symcalc as sc


def test_a_step_shows_before_and_after():
    step = sc.derive(sc.get("mse")).steps[0]
    shown = step._repr_latex_()
    assert shown.startswith("$$\n\\begin{aligned}\n")
    assert shown.count("&=") == 2
    assert " \\\\\n" in shown


def test_a_kernel_shows_its_source_escaped():
    kernel = sc.compile(sc.parse("sum(i, where(x[i] < 1, x[i]**2, 1))", wrt="x"), backend="numpy")
    shown = kernel._repr_html_()
    assert shown.startswith("<details><summary>Kernel <code>")
    assert "def " in shown
    assert "<pre>" in shown
    assert shown.count("<") == shown.count(">")

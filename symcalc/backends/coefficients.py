"""Coefficients of the vector mathematics: a generated file, do not edit.

Regenerate with `python tools/minimax.py`; a test compares this file with a fresh run.
Every number is exact in its precision (F64: 53 bits, F32: 24 bits).
"""

_hex = float.fromhex

# 1/ln(2): 1.4426950408889634
LOG2_E_F64 = _hex("0x1.71547652b82fep+0")
# ln(2) to 41 bits: k*this is exact: 0.6931471805601177
LN2_HIGH_F64 = _hex("0x1.62e42fefa4000p-1")
# the rest of ln(2): -1.7239444525614835e-13
LN2_LOW_F64 = _hex("-0x1.8432a1b0e2634p-43")
# 1/ln(2): 1.4426950216293335
LOG2_E_F32 = _hex("0x1.7154760000000p+0")
# ln(2) to 15 bits: k*this is exact: 0.693145751953125
LN2_HIGH_F32 = _hex("0x1.62e4000000000p-1")
# the rest of ln(2): 1.428606765330187e-06
LN2_LOW_F32 = _hex("0x1.7f7d1c0000000p-20")

# (exp(r) - 1 - r)/r^2 on |r| <= ln(2)/2; error relative to expm1(r)
# degree 10; largest error 2^-61.61 (before rounding 2^-61.74)
EXPM1_F64: tuple[float, ...] = (
    _hex("0x1.0000000000000p-1"),  # 0.5
    _hex("0x1.5555555555559p-3"),  # 0.16666666666666677
    _hex("0x1.5555555555559p-5"),  # 0.04166666666666669
    _hex("0x1.111111110f707p-7"),  # 0.00833333333332177
    _hex("0x1.6c16c16c1675cp-10"),  # 0.0013888888888886263
    _hex("0x1.a01a01af9cb1ep-13"),  # 0.0001984126988535334
    _hex("0x1.a01a019ea1038p-16"),  # 2.4801587296355477e-05
    _hex("0x1.71ddf93ab2d1ap-19"),  # 2.755724520885799e-06
    _hex("0x1.27e4f812b285ep-22"),  # 2.7557314400946416e-07
    _hex("0x1.af5cfe9644875p-26"),  # 2.5108646350509612e-08
    _hex("0x1.1f39c6816e9c6p-29"),  # 2.089841911256278e-09
)

# (2 atanh(s) - 2 s)/s^3 in z = s^2, s = f/(2 + f), 1 + f in [sqrt(1/2), sqrt(2)]; error relative
# to log(1 + f)
# degree 6; largest error 2^-59.49 (before rounding 2^-59.50)
LOG_F64: tuple[float, ...] = (
    _hex("0x1.5555555555592p-1"),  # 0.6666666666666734
    _hex("0x1.999999997ff22p-2"),  # 0.3999999999941669
    _hex("0x1.24924941e09acp-2"),  # 0.2857142874201155
    _hex("0x1.c71c52150ac02p-3"),  # 0.22222198607173033
    _hex("0x1.74663cc1ce9b9p-3"),  # 0.18183562723591054
    _hex("0x1.39a1eda321599p-3"),  # 0.1531408849152001
    _hex("0x1.2f03858401762p-3"),  # 0.1479559355649896
)

# (exp(r) - 1 - r)/r^2 on |r| <= ln(2)/2; error relative to expm1(r)
# degree 4; largest error 2^-26.12 (before rounding 2^-26.17)
EXPM1_F32: tuple[float, ...] = (
    _hex("0x1.fffffe0000000p-2"),  # 0.4999999701976776
    _hex("0x1.5554b40000000p-3"),  # 0.1666654646396637
    _hex("0x1.5556f80000000p-5"),  # 0.04166744649410248
    _hex("0x1.12253c0000000p-7"),  # 0.008366255089640617
    _hex("0x1.6b93a60000000p-10"),  # 0.0013869352405890822
)

# (2 atanh(s) - 2 s)/s^3 in z = s^2, s = f/(2 + f), 1 + f in [sqrt(1/2), sqrt(2)]; error relative
# to log(1 + f)
# degree 2; largest error 2^-30.20 (before rounding 2^-30.21)
LOG_F32: tuple[float, ...] = (
    _hex("0x1.55557a0000000p-1"),  # 0.6666677594184875
    _hex("0x1.995ed60000000p-2"),  # 0.39977583289146423
    _hex("0x1.31e07a0000000p-2"),  # 0.29870787262916565
)

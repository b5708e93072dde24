"""Coefficients of the vector mathematics: a generated file, do not edit.

Regenerate with `python tools/minimax.py`; a test compares this file with a fresh run.
Every number is exact in its precision (F64: 53 bits, F32: 24 bits).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

_hex = float.fromhex


@dataclass(frozen=True)
class Coefficients:
    """The numbers of one precision: scalars of its type, polynomials lowest power first."""

    real: type[np.floating[Any]]
    magic: Any  # x + magic rounds x to an integer, left in the low bits
    digits: Any  # mantissa bits, without the hidden one
    max_exponent: Any  # the largest k with 2^k finite
    smallest_normal: Any  # numbers below it are denormal
    negligible: Any  # below it in size, expm1(x) and log1p(x) are x
    overflow: Any  # past it exp is inf
    underflow: Any  # past it exp is 0
    saturated: Any  # past it expm1 is -1
    log2e: Any  # 1/ln(2)
    ln2_high: Any  # ln(2) to so few bits that k*ln2_high is exact
    ln2_low: Any  # the rest of ln(2)
    splitter: Any  # x*splitter - (x*splitter - x) is the upper half of x (Veltkamp)
    erfc_shift: Any  # the polynomial of erfc is in (x - erfc_shift)/(x + erfc_shift)
    erfc_end: Any  # past it erfc is 0
    expm1: tuple[float, ...]
    log: tuple[float, ...]
    erf: tuple[float, ...]
    erfc: tuple[float, ...]


F64 = Coefficients(
    real=np.float64,
    magic=np.float64(_hex("0x1.8000000000000p+52")),  # 6755399441055744.0
    digits=np.float64(_hex("0x1.a000000000000p+5")),  # 52.0
    max_exponent=np.float64(_hex("0x1.ff80000000000p+9")),  # 1023.0
    smallest_normal=np.float64(_hex("0x1.0000000000000p-1022")),  # 2.2250738585072014e-308
    negligible=np.float64(_hex("0x1.0000000000000p-54")),  # 5.551115123125783e-17
    overflow=np.float64(_hex("0x1.63042fefa39efp+9")),  # 710.032712893384
    underflow=np.float64(_hex("-0x1.74e9c65eceee0p+9")),  # -745.8263662825011
    saturated=np.float64(_hex("-0x1.c000000000000p+5")),  # -56.0
    log2e=np.float64(_hex("0x1.71547652b82fep+0")),  # 1.4426950408889634
    ln2_high=np.float64(_hex("0x1.62e42fefa4000p-1")),  # 0.6931471805601177
    ln2_low=np.float64(_hex("-0x1.8432a1b0e2634p-43")),  # -1.7239444525614835e-13
    splitter=np.float64(_hex("0x1.0000002000000p+27")),  # 134217729.0
    erfc_shift=np.float64(_hex("0x1.8000000000000p+1")),  # 3.0
    erfc_end=np.float64(_hex("0x1.c000000000000p+4")),  # 28.0
    # (exp(r) - 1 - r)/r^2 on |r| <= ln(2)/2; error relative to expm1(r)
    # degree 10; largest error 2^-61.62 (before rounding 2^-61.74)
    expm1=(
        _hex("0x1.0000000000000p-1"),  # 0.5
        _hex("0x1.5555555555559p-3"),  # 0.16666666666666677
        _hex("0x1.5555555555559p-5"),  # 0.04166666666666669
        _hex("0x1.111111110f708p-7"),  # 0.008333333333321771
        _hex("0x1.6c16c16c16700p-10"),  # 0.0013888888888886064
        _hex("0x1.a01a01af9c4eep-13"),  # 0.00019841269885349046
        _hex("0x1.a01a019ed203ep-16"),  # 2.480158729703551e-05
        _hex("0x1.71ddf93b75d8fp-19"),  # 2.7557245212241195e-06
        _hex("0x1.27e4f788173b0p-22"),  # 2.755731363152516e-07
        _hex("0x1.af5cfd9b99b69p-26"),  # 2.5108645480832893e-08
        _hex("0x1.1f3ac68c36165p-29"),  # 2.089870337640443e-09
    ),
    # (2 atanh(s) - 2 s)/s^3 in z = s^2, s = f/(2 + f), 1 + f in [sqrt(1/2), sqrt(2)]; error
    # relative to log(1 + f)
    # degree 6; largest error 2^-59.49 (before rounding 2^-59.49)
    log=(
        _hex("0x1.5555555555592p-1"),  # 0.6666666666666734
        _hex("0x1.999999997ff4bp-2"),  # 0.3999999999941692
        _hex("0x1.24924941dce98p-2"),  # 0.28571428741927596
        _hex("0x1.c71c5218c4241p-3"),  # 0.22222198618011826
        _hex("0x1.74663be5eb724p-3"),  # 0.1818356208363464
        _hex("0x1.39a205660633fp-3"),  # 0.1531410619507145
        _hex("0x1.2f028b76c197ap-3"),  # 0.14795407253422949
    ),
    # erf(x)/x - 1 in z = x^2, |x| <= 1; error relative to erf(x)
    # degree 12; largest error 2^-56.34 (before rounding 2^-62.75)
    erf=(
        _hex("0x1.06eba8214db69p-3"),  # 0.1283791670955126
        _hex("-0x1.812746b037a25p-2"),  # -0.376126389031841
        _hex("0x1.ce2f21a0458f3p-4"),  # 0.11283791670971137
        _hex("-0x1.b82ce31355dddp-6"),  # -0.02686617064804674
        _hex("0x1.565bcd2ca2482p-8"),  # 0.005223977652925817
        _hex("-0x1.c02db94260f24p-11"),  # -0.0008548328553818802
        _hex("0x1.f9a3bb809a7a2p-14"),  # 0.00012055387015555291
        _hex("-0x1.f4dd2379baa19p-17"),  # -1.4926905112362881e-05
        _hex("0x1.ba6c00f2e1bcap-20"),  # 1.6481499726954195e-06
        _hex("-0x1.63ad0517490fap-23"),  # -1.656244783344972e-07
        _hex("0x1.13cb232547d6cp-26"),  # 1.6053294822906338e-08
        _hex("-0x1.c949fba7952ddp-30"),  # -1.6636076768727937e-09
        _hex("0x1.426618ea626fep-33"),  # 1.466100082695191e-10
    ),
    # (1 + 2 x) exp(x^2) erfc(x) in t = (x - 3)/(x + 3), 1/2 <= x <= 28; relative error
    # degree 21; largest error 2^-54.55 (before rounding 2^-57.79)
    erfc=(
        _hex("0x1.40c522d7e4987p+0"),  # 1.2530080582697296
        _hex("-0x1.15c084bb9e8f6p-3"),  # -0.13562110612458128
        _hex("-0x1.85a15c58a9c57p-5"),  # -0.04756229435343389
        _hex("0x1.098366a5b47fap-3"),  # 0.12964515870277166
        _hex("-0x1.e88b803a5bd0cp-4"),  # -0.11927366341636886
        _hex("0x1.17ca2877edccfp-4"),  # 0.06830802734372131
        _hex("-0x1.8574c404ad471p-6"),  # -0.023770514892664744
        _hex("0x1.4b884e43ab806p-9"),  # 0.0025293918168562994
        _hex("0x1.ef1bd7b3d2221p-10"),  # 0.0018886900333702288
        _hex("-0x1.98db4f965db75p-11"),  # -0.0007798322356354764
        _hex("-0x1.b90fedbdee5eap-14"),  # -0.00010515742812246929
        _hex("0x1.0659ece258460p-13"),  # 0.0001250988344266039
        _hex("0x1.4b7058ce0de12p-18"),  # 4.93882380508223e-06
        _hex("-0x1.512d87c6bd7d9p-16"),  # -2.009736615612282e-05
        _hex("-0x1.78756e98ce8acp-21"),  # -7.012090065046999e-07
        _hex("0x1.d0978df1264e6p-19"),  # 3.461480212307692e-06
        _hex("0x1.452332a24a658p-22"),  # 3.0280788555995315e-07
        _hex("-0x1.3f8912f50fa5ap-21"),  # -5.951811475958381e-07
        _hex("-0x1.67f65d9fa3139p-24"),  # -8.381026938615612e-08
        _hex("0x1.5288596cb15c8p-24"),  # 7.882076653438233e-08
        _hex("0x1.1ff9d152f48cbp-27"),  # 8.381200322224571e-09
        _hex("-0x1.29288b08a701dp-29"),  # -2.162111715642104e-09
    ),
)


F32 = Coefficients(
    real=np.float32,
    magic=np.float32(_hex("0x1.8000000000000p+23")),  # 12582912.0
    digits=np.float32(_hex("0x1.7000000000000p+4")),  # 23.0
    max_exponent=np.float32(_hex("0x1.fc00000000000p+6")),  # 127.0
    smallest_normal=np.float32(_hex("0x1.0000000000000p-126")),  # 1.1754943508222875e-38
    negligible=np.float32(_hex("0x1.0000000000000p-25")),  # 2.9802322387695312e-08
    overflow=np.float32(_hex("0x1.63e4300000000p+6")),  # 88.97283935546875
    underflow=np.float32(_hex("-0x1.a2a9300000000p+6")),  # -104.66522216796875
    saturated=np.float32(_hex("-0x1.b000000000000p+4")),  # -27.0
    log2e=np.float32(_hex("0x1.7154760000000p+0")),  # 1.4426950216293335
    ln2_high=np.float32(_hex("0x1.62e4000000000p-1")),  # 0.693145751953125
    ln2_low=np.float32(_hex("0x1.7f7d1c0000000p-20")),  # 1.428606765330187e-06
    splitter=np.float32(_hex("0x1.0010000000000p+12")),  # 4097.0
    erfc_shift=np.float32(_hex("0x1.8000000000000p+1")),  # 3.0
    erfc_end=np.float32(_hex("0x1.5000000000000p+3")),  # 10.5
    # (exp(r) - 1 - r)/r^2 on |r| <= ln(2)/2; error relative to expm1(r)
    # degree 5; largest error 2^-31.10 (before rounding 2^-31.97)
    expm1=(
        _hex("0x1.0000000000000p-1"),  # 0.5
        _hex("0x1.5555540000000p-3"),  # 0.1666666567325592
        _hex("0x1.5554f80000000p-5"),  # 0.04166649281978607
        _hex("0x1.1112de0000000p-7"),  # 0.008333547972142696
        _hex("0x1.6d3a4e0000000p-10"),  # 0.0013932333094999194
        _hex("0x1.9e614c0000000p-13"),  # 0.00019759181304834783
    ),
    # (2 atanh(s) - 2 s)/s^3 in z = s^2, s = f/(2 + f), 1 + f in [sqrt(1/2), sqrt(2)]; error
    # relative to log(1 + f)
    # degree 2; largest error 2^-30.20 (before rounding 2^-30.21)
    log=(
        _hex("0x1.55557a0000000p-1"),  # 0.6666677594184875
        _hex("0x1.995eda0000000p-2"),  # 0.399775892496109
        _hex("0x1.31dfda0000000p-2"),  # 0.29870548844337463
    ),
    # erf(x)/x - 1 in z = x^2, |x| <= 1; error relative to erf(x)
    # degree 6; largest error 2^-29.34 (before rounding 2^-29.62)
    erf=(
        _hex("0x1.06eba80000000p-3"),  # 0.12837916612625122
        _hex("-0x1.81273e0000000p-2"),  # -0.3761262595653534
        _hex("0x1.ce2ce60000000p-4"),  # 0.11283578723669052
        _hex("-0x1.b7f71a0000000p-6"),  # -0.026853347197175026
        _hex("0x1.53f2240000000p-8"),  # 0.005187162198126316
        _hex("-0x1.a351620000000p-11"),  # -0.0007997854263521731
        _hex("0x1.4772100000000p-14"),  # 7.806910434737802e-05
    ),
    # (1 + 2 x) exp(x^2) erfc(x) in t = (x - 3)/(x + 3), 1/2 <= x <= 10.5; relative error
    # degree 9; largest error 2^-24.56 (before rounding 2^-28.25)
    erfc=(
        _hex("0x1.40c5220000000p+0"),  # 1.2530080080032349
        _hex("-0x1.15c07e0000000p-3"),  # -0.1356210559606552
        _hex("-0x1.85978e0000000p-5"),  # -0.04755761846899986
        _hex("0x1.0982f40000000p-3"),  # 0.12964430451393127
        _hex("-0x1.e8d3ea0000000p-4"),  # -0.11934272199869156
        _hex("0x1.17bf7a0000000p-4"),  # 0.06829784065485
        _hex("-0x1.7ff0860000000p-6"),  # -0.023433810099959373
        _hex("0x1.5b93820000000p-9"),  # 0.0026517959777265787
        _hex("0x1.5e12b40000000p-10"),  # 0.0013354227412492037
        _hex("-0x1.0a27820000000p-10"),  # -0.0010152981849387288
    ),
)

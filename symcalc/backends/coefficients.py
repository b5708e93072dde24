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
    ln2: Any  # ln(2)
    exponent_bias: Any  # what the exponent field of 1 holds
    lift: Any  # 2^lift keeps exp of what is not positive above the denormal numbers
    hyperbolic_end: Any  # up to it in size tanh and log_cosh are polynomials
    stirling_constant: Any  # (log(2 pi) - 1)/2
    stirling_start: Any  # from it on lgamma and digamma are asymptotic
    trigamma_start: Any  # from it on trigamma is asymptotic
    root_high: Any  # the positive root of digamma
    root_low: Any  # the rest of the root
    log2_scale: Any  # 2/(3 ln(2))
    log2_scale_high: Any  # the upper half of log2_scale
    log2_scale_low: Any  # the rest of log2_scale
    erfc_shift: Any  # the polynomial of erfc is in (x - erfc_shift)/(x + erfc_shift)
    erfc_end: Any  # past it erfc is 0
    exp: tuple[float, ...]
    exp_wide: tuple[float, ...]
    expm1: tuple[float, ...]
    log: tuple[float, ...]
    log1p_unit: tuple[float, ...]
    tanh: tuple[float, ...]
    log_cosh: tuple[float, ...]
    kl_div: tuple[float, ...]
    erf: tuple[float, ...]
    erfc: tuple[float, ...]
    power: tuple[float, ...] = ()
    sin_pi: tuple[float, ...] = ()
    cot_pi: tuple[float, ...] = ()
    lgamma: tuple[float, ...] = ()
    stirling: tuple[float, ...] = ()
    digamma: tuple[float, ...] = ()
    digamma_far: tuple[float, ...] = ()
    trigamma_far: tuple[float, ...] = ()


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
    ln2=np.float64(_hex("0x1.62e42fefa39efp-1")),  # 0.6931471805599453
    exponent_bias=np.float64(_hex("0x1.ff80000000000p+9")),  # 1023.0
    lift=np.float64(_hex("0x1.0000000000000p+9")),  # 512.0
    hyperbolic_end=np.float64(_hex("0x1.6666666666666p-1")),  # 0.7
    stirling_constant=np.float64(_hex("0x1.acfe390c97d69p-2")),  # 0.4189385332046727
    stirling_start=np.float64(_hex("0x1.a000000000000p+2")),  # 6.5
    trigamma_start=np.float64(_hex("0x1.e000000000000p+2")),  # 7.5
    root_high=np.float64(_hex("0x1.762d86356be3fp+0")),  # 1.4616321449683622
    root_low=np.float64(_hex("0x1.b86a722197829p-54")),  # 9.549995429965697e-17
    log2_scale=np.float64(_hex("0x1.ec709dc3a03fdp-1")),  # 0.9617966939259756
    log2_scale_high=np.float64(_hex("0x1.ec709e0000000p-1")),  # 0.9617967009544373
    log2_scale_low=np.float64(_hex("-0x1.e2fe0145b01f5p-28")),  # -7.028461650952758e-09
    erfc_shift=np.float64(_hex("0x1.8000000000000p+1")),  # 3.0
    erfc_end=np.float64(_hex("0x1.c000000000000p+4")),  # 28.0
    # (exp(r) - 1 - r)/r^2 on |r| <= ln(2)/2; error relative to exp(r)
    # degree 9; largest error 2^-57.92 (before rounding 2^-57.95)
    exp=(
        _hex("0x1.000000000000ap-1"),  # 0.5000000000000011
        _hex("0x1.555555555550dp-3"),  # 0.16666666666666466
        _hex("0x1.55555555507b2p-5"),  # 0.041666666666528754
        _hex("0x1.11111111244f7p-7"),  # 0.008333333333470068
        _hex("0x1.6c16c184339acp-10"),  # 0.00138888889437148
        _hex("0x1.a01a01387a2b2p-13"),  # 0.00019841269546751677
        _hex("0x1.a0199a1c913a3p-16"),  # 2.4801493156329336e-05
        _hex("0x1.71df0c431da27p-19"),  # 2.7557557885041816e-06
        _hex("0x1.28ad507b575d1p-22"),  # 2.7630199613500127e-07
        _hex("0x1.ad9fe5cd0c9fbp-26"),  # 2.5007443050538812e-08
    ),
    # (exp(r) - 1 - r)/r^2 on |r| <= ln(2); error relative to exp(r)
    # degree 11; largest error 2^-56.48 (before rounding 2^-56.48)
    exp_wide=(
        _hex("0x1.ffffffffffff3p-2"),  # 0.4999999999999993
        _hex("0x1.55555555555b6p-3"),  # 0.16666666666666935
        _hex("0x1.5555555556944p-5"),  # 0.041666666666702074
        _hex("0x1.1111111108303p-7"),  # 0.008333333333270248
        _hex("0x1.6c16c169c131bp-10"),  # 0.0013888888883581477
        _hex("0x1.a01a01b225c80p-13"),  # 0.00019841269892559646
        _hex("0x1.a01a05806a01bp-16"),  # 2.4801590826989497e-05
        _hex("0x1.71de2a0db0b0ep-19"),  # 2.7557300715531414e-06
        _hex("0x1.27e1cae25b890p-22"),  # 2.7556158790118297e-07
        _hex("0x1.ae712a4b36210p-26"),  # 2.5055024982551803e-08
        _hex("0x1.217a4312f095fp-29"),  # 2.106226645757608e-09
        _hex("0x1.5e6f7d88acedep-33"),  # 1.5935961948577084e-10
    ),
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
    # (2 atanh(s) - 2 s)/s^3 in z = s^2, |s| <= 1/3; error relative to 2 atanh(s)
    # degree 9; largest error 2^-59.41 (before rounding 2^-59.43)
    log1p_unit=(
        _hex("0x1.5555555555535p-1"),  # 0.6666666666666631
        _hex("0x1.99999999a0758p-2"),  # 0.40000000000155955
        _hex("0x1.249249208bdf2p-2"),  # 0.28571428547999667
        _hex("0x1.c71c741ccc7a0p-3"),  # 0.22222223961722154
        _hex("0x1.745cb3efd3d58p-3"),  # 0.18181744170804381
        _hex("0x1.3b1ddd1d6c585p-3"),  # 0.15386555429499196
        _hex("0x1.1067ab3fae4a3p-3"),  # 0.13301023281181754
        _hex("0x1.efda1f4ff13c9p-4"),  # 0.12105762702328983
        _hex("0x1.55a8201fedec6p-4"),  # 0.08341229008407955
        _hex("0x1.5c8201a18e957p-3"),  # 0.17016984247477282
    ),
    # (2 tanh(x/2)/x - 1)/x^2 in x^2, |x| <= hyperbolic_end; error relative to tanh(x/2)
    # degree 7; largest error 2^-56.51 (before rounding 2^-56.51)
    tanh=(
        _hex("-0x1.55555555554c2p-4"),  # -0.08333333333333129
        _hex("0x1.11111110fdfcep-7"),  # 0.00833333333319777
        _hex("-0x1.ba1ba19f0dfdcp-11"),  # -0.000843253965178366
        _hex("0x1.664f3f3826a2bp-14"),  # 8.542765579237141e-05
        _hex("-0x1.226c7040c9fffp-17"),  # -8.655297393980741e-06
        _hex("0x1.d66ec50e8ccc4p-21"),  # 8.762491761682413e-07
        _hex("-0x1.770b8a727bf9fp-24"),  # -8.732198767519687e-08
        _hex("0x1.f1aba2fa9647bp-28"),  # 7.2420582816991244e-09
    ),
    # (2 atanh(s) - 2 s)/s^3 in z = s^2, where s = tanh(x/2)^2 on |x| <= hyperbolic_end and e/(2 +
    # e) beyond, e = exp(-2 |x|); error relative to 2 atanh(s)
    # degree 5; largest error 2^-60.72 (before rounding 2^-60.73)
    log_cosh=(
        _hex("0x1.5555555555528p-1"),  # 0.6666666666666616
        _hex("0x1.99999999bb45fp-2"),  # 0.4000000000076564
        _hex("0x1.249248e211137p-2"),  # 0.2857142818432012
        _hex("0x1.c71cea634102bp-3"),  # 0.22222312083624848
        _hex("0x1.7425e72b77bfbp-3"),  # 0.18171291924861052
        _hex("0x1.47727aa91f530p-3"),  # 0.15988632038708195
    ),
    # (2 atanh(s) - 2 s)/s^3 in z = s^2, |s| <= 2/3; relative error
    # degree 19; largest error 2^-53.99 (before rounding 2^-58.59)
    kl_div=(
        _hex("0x1.5555555555555p-1"),  # 0.6666666666666666
        _hex("0x1.9999999999de9p-2"),  # 0.40000000000006125
        _hex("0x1.2492492448255p-2"),  # 0.28571428569742824
        _hex("0x1.c71c72064e5a5p-3"),  # 0.22222222406143746
        _hex("0x1.745d090e57580p-3"),  # 0.1818180758954604
        _hex("0x1.3b15a4415b3e2p-3"),  # 0.15384987186862903
        _hex("0x1.10e3a70670d06p-3"),  # 0.13324671257405657
        _hex("0x1.e7ade63c017b0p-4"),  # 0.119062327721706
        _hex("0x1.6a379f1afa4cfp-4"),  # 0.08843195105113753
        _hex("0x1.f51d04887ef5fp-3"),  # 0.24468425313522865
        _hex("-0x1.d75b3b780d524p-1"),  # -0.9206179222152611
        _hex("0x1.5295fc56a22e7p+2"),  # 5.2904044004469375
        _hex("-0x1.4ad2edf1548f5p+4"),  # -20.676496451088457
        _hex("0x1.fcb16d29f43edp+5"),  # 63.58663399483326
        _hex("-0x1.281b71309d502p+7"),  # -148.05359794540715
        _hex("0x1.0282c46832780p+8"),  # 258.51080943329
        _hex("-0x1.46de5bde4c7e8p+8"),  # -326.868589299846
        _hex("0x1.1b884e9a23861p+8"),  # 283.5324493729332
        _hex("-0x1.2e15303c52767p+7"),  # -151.04138363367676
        _hex("0x1.2cc62bed7dec3p+5"),  # 37.59676347294364
    ),
    # (3 atanh(s)/s - 3 - s^2)/s^4 in z = s^2, s as for log; error relative to atanh(s)/s
    # degree 6; largest error 2^-64.70 (before rounding 2^-64.71)
    power=(
        _hex("0x1.3333333333464p-1"),  # 0.6000000000000338
        _hex("0x1.b6db6db683c1bp-2"),  # 0.42857142855149427
        _hex("0x1.555555a20cec2p-2"),  # 0.3333333377988589
        _hex("0x1.1745af6a24e81p-2"),  # 0.27272676549294067
        _hex("0x1.d8ae624e68cf0p-3"),  # 0.230801361101022
        _hex("0x1.973fd69ec730ep-3"),  # 0.19885223075916553
        _hex("0x1.95645b7bb3d4ap-3"),  # 0.19794532271633108
    ),
    # (sin(pi d)/(pi d) - 1)/d^2 in d^2, |d| <= 1/2; error relative to sin(pi d)
    # degree 7; largest error 2^-61.34 (before rounding 2^-61.65)
    sin_pi=(
        _hex("-0x1.a51a6625307d3p+0"),  # -1.6449340668482264
        _hex("0x1.9f9cb402bc429p-1"),  # 0.8117424252833462
        _hex("-0x1.86a8e4720a1dbp-3"),  # -0.19075182412167532
        _hex("0x1.ac6805cc89974p-6"),  # 0.026147847807942395
        _hex("-0x1.33816997b7a9bp-9"),  # -0.0023460809132836553
        _hex("0x1.3746a182fb97bp-13"),  # 0.00014842791651354853
        _hex("-0x1.d3e6a2e777af4p-18"),  # -6.972267079656829e-06
        _hex("0x1.074361f2d17f3p-22"),  # 2.4518297363597935e-07
    ),
    # (1/d - pi cot(pi d))/d in d^2, |d| <= 1/2; error of pi cot(pi d)
    # degree 14; largest error 2^-56.64 (before rounding 2^-56.69)
    cot_pi=(
        _hex("0x1.a51a6625307d4p+1"),  # 3.2898681336964533
        _hex("0x1.151322ac7d5cap+1"),  # 2.164646467421993
        _hex("0x1.0470984c2813ep+1"),  # 2.0346861240251704
        _hex("0x1.010b36a49e7f2p+1"),  # 2.0081547073177655
        _hex("0x1.0041305b949a0p+1"),  # 2.0019894072695053
        _hex("0x1.000fdc47fe9cbp+1"),  # 2.000484023240664
        _hex("0x1.0009adbb2a874p+1"),  # 2.0002953685662366
        _hex("0x1.ff5aabb4c6c03p+0"),  # 1.9974772755001602
        _hex("0x1.037105c44a6afp+1"),  # 2.02688667377955
        _hex("0x1.cbd63e35b95e9p+0"),  # 1.7962378388559677
        _hex("0x1.8e148122fcea5p+1"),  # 3.110000745853386
        _hex("-0x1.22e9b0f6e30f2p+1"),  # -2.2727566915037807
        _hex("0x1.a5b714778afa3p+3"),  # 13.17859862659663
        _hex("-0x1.04ead6960da98p+4"),  # -16.307333551546066
        _hex("0x1.148a03bbb615fp+4"),  # 17.28369496655193
    ),
    # log gamma(2 + z)/(z (1 + z)) for -1 <= z <= 1/2; relative error
    # degree 25; largest error 2^-56.18 (before rounding 2^-59.63)
    lgamma=(
        _hex("0x1.b0ee6072093cep-2"),  # 0.42278433509846713
        _hex("-0x1.9ae6509ea109fp-4"),  # -0.10031730167435392
        _hex("0x1.0e0c9df2936ebp-5"),  # 0.03296500062115889
        _hex("-0x1.95ce223a9cb2fp-7"),  # -0.012384192193371028
        _hex("0x1.4797485351ac4p-8"),  # 0.004998641164383148
        _hex("-0x1.145121fa0d803p-9"),  # -0.0021081308341548434
        _hex("0x1.dfebcffc833bbp-11"),  # 0.0009153769347577315
        _hex("-0x1.a96a3f14a836ap-12"),  # -0.00040570738318917185
        _hex("0x1.7ed7114a21e94p-13"),  # 0.00018255238893892924
        _hex("-0x1.5c8728b157b4ap-14"),  # -8.309554211425904e-05
        _hex("0x1.403501d201482p-15"),  # 3.8171656015642034e-05
        _hex("-0x1.283563ed826cap-16"),  # -1.76554057614079e-05
        _hex("0x1.13542817b850cp-17"),  # 8.205435775678861e-06
        _hex("-0x1.05cede108fa68p-18"),  # -3.901244341407603e-06
        _hex("0x1.f0f1b18133011p-20"),  # 1.8512610895802772e-06
        _hex("-0x1.399d15bec1e28p-21"),  # -5.84150875088936e-07
        _hex("0x1.0072a7aabc354p-21"),  # 4.776713827520304e-07
        _hex("-0x1.ebb0d4c75def9p-21"),  # -9.158453843490718e-07
        _hex("-0x1.7c170f1048cf5p-21"),  # -7.079729318664644e-07
        _hex("0x1.71da181e8a215p-21"),  # 6.889029043377149e-07
        _hex("0x1.023e890784098p-19"),  # 1.9240698099291053e-06
        _hex("0x1.83402541ce8f0p-21"),  # 7.213103929489672e-07
        _hex("-0x1.4986cf82267afp-20"),  # -1.22758226032145e-06
        _hex("-0x1.b3175d48659e9p-20"),  # -1.6208412763944914e-06
        _hex("-0x1.9f331c76dbcefp-21"),  # -7.733696197729929e-07
        _hex("-0x1.3247d88c65ce1p-23"),  # -1.426230408329475e-07
    ),
    # x (log gamma(x) - (x - 1/2) log(x) + x - log(2 pi)/2) in 1/x^2, x >= stirling_start; error
    # relative to log gamma(x)
    # degree 6; largest error 2^-64.39 (before rounding 2^-64.42)
    stirling=(
        _hex("0x1.555555555553fp-4"),  # 0.08333333333333302
        _hex("-0x1.6c16c16b71326p-9"),  # -0.0027777777774836863
        _hex("0x1.a019fe3a89251p-11"),  # 0.0007936506947926002
        _hex("-0x1.38115347cf763p-11"),  # -0.0005952218570894726
        _hex("0x1.b88d5cc7cc158p-11"),  # 0.0008402866305683805
        _hex("-0x1.e30645fbe572ap-10"),  # -0.0018425922598672242
        _hex("0x1.199472ca14650p-8"),  # 0.00429656794047302
    ),
    # digamma(y)/(y - root) in y - 2, 1 <= y <= 2.6; relative error
    # degree 27; largest error 2^-54.81 (before rounding 2^-58.67)
    digamma=(
        _hex("0x1.9213d46736ba4p-1"),  # 0.7853075386041053
        _hex("-0x1.0aff270ca07a7p-2"),  # -0.2607389546830014
        _hex("0x1.be76b26db7c82p-4"),  # 0.1089999170176146
        _hex("-0x1.95ec0c3ba961ep-5"),  # -0.04955103291767336
        _hex("0x1.802924f9ff965p-6"),  # 0.023447309598844685
        _hex("-0x1.7389aa8049b72p-7"),  # -0.011338432552816722
        _hex("0x1.6bdf5de7efbb8p-8"),  # 0.005552254129667249
        _hex("-0x1.6714d02deb123p-9"),  # -0.0027395729184346448
        _hex("0x1.64076eada8b5cp-10"),  # 0.0013581429770190478
        _hex("-0x1.620ee5ba95b4ap-11"),  # -0.000675312410133391
        _hex("0x1.60c41b9df2cc9p-12"),  # 0.0003364239181535387
        _hex("-0x1.5ff6714977961p-13"),  # -0.00016782887750727961
        _hex("0x1.5f9f844128d93p-14"),  # 8.383348269318793e-05
        _hex("-0x1.5e12b56b948f6p-15"),  # -4.1731963247431116e-05
        _hex("0x1.5b4172d01a0c7p-16"),  # 2.0698050150619992e-05
        _hex("-0x1.71e1bbc44ff6ep-17"),  # -1.1023335794946051e-05
        _hex("0x1.7498a64beef77p-18"),  # 5.552117340042762e-06
        _hex("-0x1.c13785d72b0a4p-21"),  # -8.367316536492947e-07
        _hex("0x1.cbff3fe63ee52p-20"),  # 1.7136226176374522e-06
        _hex("-0x1.efdb74461e4a5p-19"),  # -3.6944243531592853e-06
        _hex("-0x1.3c2fe6d658944p-19"),  # -2.3557775918208233e-06
        _hex("0x1.e5085a67601ccp-20"),  # 1.8068873489375112e-06
        _hex("0x1.1aabfc9f51fc2p-18"),  # 4.2121384063522645e-06
        _hex("0x1.6b4f4b1ae5fb0p-20"),  # 1.3534342488737663e-06
        _hex("-0x1.b323e03c31b78p-20"),  # -1.621023343155549e-06
        _hex("-0x1.0a1bfd744492ep-19"),  # -1.9826690566073185e-06
        _hex("-0x1.e7d1aa8a54a8ep-21"),  # -9.086337098652366e-07
        _hex("-0x1.8b64b0b91bd21p-23"),  # -1.8411936311992433e-07
    ),
    # x^2 (log(x) - 1/(2 x) - digamma(x)) in 1/x^2, x >= stirling_start; error relative to
    # digamma(x)
    # degree 6; largest error 2^-61.41 (before rounding 2^-61.42)
    digamma_far=(
        _hex("0x1.555555555544fp-4"),  # 0.08333333333332969
        _hex("-0x1.1111110f11c24p-7"),  # -0.008333333329700272
        _hex("0x1.04103b91e21adp-8"),  # 0.003968252700254399
        _hex("-0x1.110d76ffc2a8ep-8"),  # -0.00416645198107325
        _hex("0x1.ef2eb1681bacdp-8"),  # 0.007555883705306865
        _hex("-0x1.487f2b5ee7199p-6"),  # -0.02004985080167074
        _hex("0x1.b2b0f5b98cf16p-5"),  # 0.05306289666296331
    ),
    # x^3 (trigamma(x) - 1/x - 1/(2 x^2)) in 1/x^2, x >= trigamma_start; error relative to 1/x
    # degree 7; largest error 2^-64.46 (before rounding 2^-64.51)
    trigamma_far=(
        _hex("0x1.555555555554dp-3"),  # 0.16666666666666644
        _hex("-0x1.11111111020b0p-5"),  # -0.033333333332906334
        _hex("0x1.8618613be6ffap-6"),  # 0.02380952353961161
        _hex("-0x1.1110e4984ee2dp-5"),  # -0.03333325049831291
        _hex("0x1.363eb908a86fbp-4"),  # 0.07574341086231222
        _hex("-0x1.01b934aa9aee1p-2"),  # -0.25168306628505205
        _hex("0x1.149cf2247ef07p+0"),  # 1.0805198039151394
        _hex("-0x1.06a4f194197e5p+2"),  # -4.103817362431049
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
    # (1 + 2 x) exp(x^2) erfc(x) - 5/4 in t = (x - 3)/(x + 3), 1/2 <= x <= 28; relative error
    # degree 21; largest error 2^-57.11 (before rounding 2^-57.79)
    erfc=(
        _hex("0x1.8a45afc930e62p-9"),  # 0.00300805826972965
        _hex("-0x1.15c084bb9e8f7p-3"),  # -0.1356211061245813
        _hex("-0x1.85a15c58aa56cp-5"),  # -0.047562294353450024
        _hex("0x1.098366a5b491bp-3"),  # 0.12964515870277968
        _hex("-0x1.e88b803a4a102p-4"),  # -0.11927366341535975
        _hex("0x1.17ca2877e4bc3p-4"),  # 0.068308027343206
        _hex("-0x1.8574c40b68deep-6"),  # -0.023770514917158474
        _hex("0x1.4b884e6166c76p-9"),  # 0.002529391830376644
        _hex("0x1.ef1bdce51a873p-10"),  # 0.0018886903356141432
        _hex("-0x1.98db55d7c29dcp-11"),  # -0.0007798324176929122
        _hex("-0x1.b9123b7679539p-14"),  # -0.00010515957351449758
        _hex("0x1.065aae330ec80p-13"),  # 0.00012510024098042263
        _hex("0x1.4c0fe62009bdfp-18"),  # 4.948110955671984e-06
        _hex("-0x1.5149cf7b7bafdp-16"),  # -2.010395063039692e-05
        _hex("-0x1.85d7c31ccb778p-21"),  # -7.261388393680948e-07
        _hex("0x1.d323604bf5752p-19"),  # 3.4804507204983263e-06
        _hex("0x1.70a550903f79cp-22"),  # 3.433281188374133e-07
        _hex("-0x1.512b94ab0a85ap-21"),  # -6.28028506870615e-07
        _hex("-0x1.027080c3c8dcap-23"),  # -1.2034525386741036e-07
        _hex("0x1.d917b9cf380fcp-24"),  # 1.1015047295419287e-07
        _hex("0x1.80f9838efd035p-26"),  # 2.2408474683420262e-08
        _hex("-0x1.fcb53253d2a33p-27"),  # -1.480534553951821e-08
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
    ln2=np.float32(_hex("0x1.62e4300000000p-1")),  # 0.6931471824645996
    exponent_bias=np.float32(_hex("0x1.fc00000000000p+6")),  # 127.0
    lift=np.float32(_hex("0x1.0000000000000p+6")),  # 64.0
    hyperbolic_end=np.float32(_hex("0x1.6666660000000p-1")),  # 0.699999988079071
    stirling_constant=np.float32(_hex("0x1.acfe3a0000000p-2")),  # 0.418938547372818
    stirling_start=np.float32(_hex("0x1.a000000000000p+2")),  # 6.5
    trigamma_start=np.float32(_hex("0x1.e000000000000p+2")),  # 7.5
    root_high=np.float32(_hex("0x1.762d860000000p+0")),  # 1.4616321325302124
    root_low=np.float32(_hex("0x1.ab5f200000000p-27")),  # 1.243815006546356e-08
    log2_scale=np.float32(_hex("0x1.ec709e0000000p-1")),  # 0.9617967009544373
    log2_scale_high=np.float32(_hex("0x1.ec80000000000p-1")),  # 0.9619140625
    log2_scale_low=np.float32(_hex("-0x1.ec478c0000000p-14")),  # -0.00011736857413779944
    erfc_shift=np.float32(_hex("0x1.8000000000000p+1")),  # 3.0
    erfc_end=np.float32(_hex("0x1.5000000000000p+3")),  # 10.5
    # (exp(r) - 1 - r)/r^2 on |r| <= ln(2)/2; error relative to exp(r)
    # degree 4; largest error 2^-28.25 (before rounding 2^-28.29)
    exp=(
        _hex("0x1.fffffc0000000p-2"),  # 0.4999999403953552
        _hex("0x1.5554940000000p-3"),  # 0.1666652262210846
        _hex("0x1.5558bc0000000p-5"),  # 0.04166828840970993
        _hex("0x1.1238500000000p-7"),  # 0.008368529379367828
        _hex("0x1.6a3f140000000p-10"),  # 0.0013818603474646807
    ),
    # (exp(r) - 1 - r)/r^2 on |r| <= ln(2); error relative to exp(r)
    # degree 5; largest error 2^-26.05 (before rounding 2^-26.07)
    exp_wide=(
        _hex("0x1.00000c0000000p-1"),  # 0.5000003576278687
        _hex("0x1.5555140000000p-3"),  # 0.166666179895401
        _hex("0x1.5549ec0000000p-5"),  # 0.04166122525930405
        _hex("0x1.1126c60000000p-7"),  # 0.008335920982062817
        _hex("0x1.71bfce0000000p-10"),  # 0.001410481403581798
        _hex("0x1.9bb8a60000000p-13"),  # 0.00019632400653790683
    ),
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
    # (2 atanh(s) - 2 s)/s^3 in z = s^2, |s| <= 1/3; error relative to 2 atanh(s)
    # degree 3; largest error 2^-27.74 (before rounding 2^-27.74)
    log1p_unit=(
        _hex("0x1.5555020000000p-1"),  # 0.666664183139801
        _hex("0x1.99d1c60000000p-2"),  # 0.400214284658432
        _hex("0x1.1ec0d00000000p-2"),  # 0.2800323963165283
        _hex("0x1.1ec6dc0000000p-2"),  # 0.2800554633140564
    ),
    # (2 tanh(x/2)/x - 1)/x^2 in x^2, |x| <= hyperbolic_end; error relative to tanh(x/2)
    # degree 3; largest error 2^-30.86 (before rounding 2^-30.97)
    tanh=(
        _hex("-0x1.55554e0000000p-4"),  # -0.08333330601453781
        _hex("0x1.110c340000000p-7"),  # 0.00833275355398655
        _hex("-0x1.b827340000000p-11"),  # -0.0008395254844799638
        _hex("0x1.3ea2e20000000p-14"),  # 7.596880459459499e-05
    ),
    # (2 atanh(s) - 2 s)/s^3 in z = s^2, where s = tanh(x/2)^2 on |x| <= hyperbolic_end and e/(2 +
    # e) beyond, e = exp(-2 |x|); error relative to 2 atanh(s)
    # degree 1; largest error 2^-26.34 (before rounding 2^-26.35)
    log_cosh=(
        _hex("0x1.5552a60000000p-1"),  # 0.6666461825370789
        _hex("0x1.9edfee0000000p-2"),  # 0.4051510989665985
    ),
    # (2 atanh(s) - 2 s)/s^3 in z = s^2, |s| <= 2/3; relative error
    # degree 8; largest error 2^-25.00 (before rounding 2^-26.99)
    kl_div=(
        _hex("0x1.5555560000000p-1"),  # 0.6666666865348816
        _hex("0x1.9997ee0000000p-2"),  # 0.3999936282634735
        _hex("0x1.24e9dc0000000p-2"),  # 0.28604835271835327
        _hex("0x1.b9733e0000000p-3"),  # 0.21555183827877045
        _hex("0x1.fae1240000000p-3"),  # 0.2474997341632843
        _hex("-0x1.9b7fda0000000p-3"),  # -0.20092745125293732
        _hex("0x1.372d680000000p+0"),  # 1.2155365943908691
        _hex("-0x1.aa94b80000000p+0"),  # -1.6663317680358887
        _hex("0x1.69b6dc0000000p+0"),  # 1.4129464626312256
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
    # (1 + 2 x) exp(x^2) erfc(x) - 5/4 in t = (x - 3)/(x + 3), 1/2 <= x <= 10.5; relative error
    # degree 9; largest error 2^-28.12 (before rounding 2^-28.25)
    erfc=(
        _hex("0x1.8a45ae0000000p-9"),  # 0.003008058061823249
        _hex("-0x1.15c07c0000000p-3"),  # -0.13562104105949402
        _hex("-0x1.85a1500000000p-5"),  # -0.04756227135658264
        _hex("0x1.0981fc0000000p-3"),  # 0.12964245676994324
        _hex("-0x1.e88c660000000p-4"),  # -0.11927451938390732
        _hex("0x1.17ea900000000p-4"),  # 0.06833893060684204
        _hex("-0x1.8542360000000p-6"),  # -0.023758461698889732
        _hex("0x1.396a220000000p-9"),  # 0.002391163492575288
        _hex("0x1.deb4160000000p-10"),  # 0.0018261087825521827
        _hex("-0x1.185dd80000000p-11"),  # -0.0005347568076103926
    ),
)

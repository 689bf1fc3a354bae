"""The demonstration region as tables. Hospitals, people and texts are invented; the DICOM objects come with pydicom."""

from dataclasses import dataclass
from datetime import date

# The same on every machine and at every start, so that a region that is half loaded can be completed.
FIRST_DAY, LAST_DAY = date(2023, 11, 6), date(2026, 10, 30)
PATIENTS = 36
STUDIES_OF_A_PATIENT = (2, 1, 3, 2, 3)  # in turn

HOSPITALS = (
    "Björkviks sjukhus",
    "Storholmens universitetssjukhus",
    "Ekdals lasarett",
    "Vitsands sjukhus",
    "Norrstrands lasarett",
    "Lindåsa sjukhus",
    "Almnäs specialistcentrum",
    "Sankta Eufemias sjukhus",
    "Hästholmens närsjukhus",
    "Kvarnby röntgen",
)

FAMILY_NAMES = (
    "Ekblad", "Lindfalk", "Sjöwik", "Norrby", "Hallström", "Åkerfelt", "Björkman", "Rosenlöf", "Dahlquist", "Vikström",
    "Ståhlhane", "Östergård", "Kvarnström", "Malmrot", "Silfver", "Granholm", "Tallberg", "Ängmark",
)  # fmt: skip
WOMEN = ("Agnes", "Britta", "Cecilia", "Disa", "Ebba", "Fredrika", "Gunvor", "Hjördis", "Ingegärd", "Josefin")
MEN = ("Arvid", "Bertil", "Carl-Åke", "Didrik", "Elof", "Folke", "Göran", "Hjalmar", "Ivar", "Jörgen")
RADIOLOGISTS = (
    ("Skoglund", "Tekla"),
    ("Härdin", "Viktor"),
    ("Öman", "Siri"),
    ("Lagercreutz", "Nils"),
    ("Brännström", "Maj"),
)
REFERRERS = (("Källgren", "Ulla"), ("Ryding", "Sixten"), ("Fjällman", "Åsa"))


@dataclass(frozen=True, slots=True)
class Images:
    """A series: its description, and the objects that it grows from (pydicom's, or `made/..`), each `copies` times."""

    description: str
    files: tuple[str, ...]
    copies: int = 1


@dataclass(frozen=True, slots=True)
class Examination:
    """A kind of examination. `code` is SNOMED CT's code and display, or empty. The texts are the report's."""

    modality: str
    title: str
    body_part: str
    code: tuple[str, str]
    series: tuple[Images, ...]
    question: str
    findings: str
    conclusion: str


EXAMINATIONS = (
    Examination(
        "CT", "DT thorax", "CHEST", ("169069000", "Computed tomography of chest"),
        (Images("Axiala snitt", ("CT_small.dcm",), 4),),
        "Långdragen hosta. Förändringar i lungorna?",
        "Lungorna är väl luftförande. Inga fokala förtätningar, ingen pleuravätska. Mediastinum är smalt och utan "
        "förstorade lymfkörtlar. Skelettet är utan anmärkning.",
        "Inga påvisbara förändringar i thorax.",
    ),
    Examination(
        "MR", "MR hjärna", "BRAIN", ("816077007", "Magnetic resonance imaging of brain"),
        (Images("T1 axial", ("MR_small.dcm",), 2), Images("T2 axial", ("MR_small_jpeg_ls_lossless.dcm",), 2)),
        "Huvudvärk sedan tre månader. Expansivitet?",
        "Ventrikelsystemet är medelställt och normalvitt. Ingen signalförändring i parenkymet, ingen expansivitet och "
        "inga tecken till blödning.",
        "Normal MR-undersökning av hjärnan.",
    ),
    Examination(
        "CR", "Lungröntgen", "CHEST", ("399208008", "Plain chest X-ray"),
        (Images("Frontal och sida", ("77654033/CR1/6154", "77654033/CR2/6247", "77654033/CR3/6278")),),
        "Feber och hosta. Infiltrat?",
        "Hjärtat är normalstort. Inga stasstecken. Inga infiltrat eller atelektaser. Fria pleurasinus.",
        "Ingen påvisad pneumoni.",
    ),
    Examination(
        "US", "Ultraljud buk", "ABDOMEN", ("45036003", "Ultrasonography of abdomen"),
        (Images("Lever och galla", ("examples_rgb_color.dcm", "examples_jpeg2k.dcm")),),
        "Intermittent smärta under höger revbensbåge. Gallsten?",
        "Levern är normalstor med jämn ekogenicitet. Gallblåsan är tunnväggig och utan konkrement. Gallvägarna är inte "
        "vidgade.",
        "Inga gallstenar.",
    ),
    Examination(
        "CT", "DT buk", "ABDOMEN", ("169070004", "Computed tomography of abdomen"),
        (Images("Portovenös fas", tuple(f"77654033/CT2/{file}" for file in (17106, 17136, 17166, 17196))),),
        "Viktnedgång. Malignitetsmisstanke?",
        "Lever, mjälte, pankreas och njurar är utan fokala förändringar. Ingen fri vätska. Inga förstorade "
        "lymfkörtlar.",
        "Ingen påvisbar malignitet i buken.",
    ),
    Examination(
        "MR", "MR ländrygg", "LSPINE", ("", ""),
        (Images("T2 sagittal", tuple(f"98892003/MR700/{file}" for file in (4558, 4528, 4588, 4648))),),
        "Ryggsmärta med utstrålning i vänster ben. Diskbråck?",
        "Lätt degenererad disk L4-L5 med en liten buktning utan nervrotspåverkan. Spinalkanalen är vid.",
        "Måttliga degenerativa förändringar, inget diskbråck.",
    ),
    Examination(
        "ECG", "Vilo-EKG 12 avledningar", "HEART", ("268400002", "12 lead electrocardiogram"),
        (Images("Vilo-EKG", ("waveform_ecg.dcm",)),),
        "Hjärtklappning. Arytmi?",
        "Sinusrytm. Normal överledningstid och normal QRS-bredd. Inga ST-förändringar.",
        "Normalt vilo-EKG.",
    ),
    Examination(
        "CT", "DT skalle", "HEAD", ("303653007", "Computed tomography of head"),
        (Images("Axiala snitt", ("693_J2KI.dcm",), 4),),
        "Fall i hemmet. Blödning?",
        "Ingen intrakraniell blödning och ingen fraktur. Vitsubstansen är utan anmärkning för åldern.",
        "Inga traumatiska förändringar.",
    ),
    Examination(
        "US", "Ekokardiografi", "HEART", ("", ""),
        (Images("Fyrkammarbild", ("examples_ybr_color.dcm",)),),
        "Andfåddhet vid ansträngning. Hjärtsvikt?",
        "Normalstor vänsterkammare med god systolisk funktion. Klaffarna rör sig normalt, ingen betydande läckage.",
        "Normal vänsterkammarfunktion.",
    ),
    Examination(
        "MR", "MR knä", "KNEE", ("", ""),
        (Images("PD sagittal", ("MR_small_RLE.dcm",), 3), Images("T1 coronal", ("MR_small_implicit.dcm",), 2)),
        "Vridvåld. Meniskskada?",
        "Menisker, korsband och kollateralligament är intakta. Sparsamt med ledvätska.",
        "Ingen påvisbar menisk- eller ligamentskada.",
    ),
    Examination(
        "NM", "Skelettscintigrafi", "WHOLEBODY", ("", ""),
        (Images("Helkropp", ("JPEG2000.dcm", "JPGExtended.dcm")),),
        "Kontroll efter behandling. Skelettmetastaser?",
        "Jämnt och symmetriskt upptag i skelettet. Inga fokala upptag som inger misstanke om metastaser.",
        "Inga tecken till skelettmetastaser.",
    ),
    Examination(
        "RTDOSE", "Dosplanering strålbehandling", "BREAST", ("", ""),
        (Images("Plan", ("rtplan.dcm",)), Images("Dosfördelning", ("rtdose.dcm", "rtdose_rle.dcm"))),
        "Dosplan inför behandling.",
        "Planen uppfyller kraven på täckning av målvolymen. Doserna till riskorganen ligger under gränsvärdena.",
        "Planen är godkänd för behandling.",
    ),
    Examination(
        "OT", "Klinisk bild, hud", "SKIN", ("", ""),
        (Images("Översikt", ("SC_rgb_jpeg_dcmtk.dcm", "SC_rgb_rle_2frame.dcm", "SC_rgb_jpeg_gdcm.dcm")),),
        "Pigmenterad förändring. Bedömning önskas.",
        "Jämnt pigmenterad, välavgränsad förändring utan tecken till asymmetri.",
        "Benign förändring. Ingen åtgärd.",
    ),
    Examination(
        "XC", "Hudfotografi, rygg", "BACK", ("", ""),
        (Images("Närbild", ("made/photograph",)),),
        "Pigmenterad förändring som vuxit. Bedömning önskas.",
        "Enfärgat brun förändring, 14 mm, med något ojämn kant.",
        "Godartat utseende. Ny bild om tre månader.",
    ),
    Examination(
        "SM", "Histopatologi, hudbiopsi", "SKIN", ("", ""),
        (Images("HE-färgat snitt", ("made/slide 0", "made/slide 1")),),
        "Stansbiopsi från ryggen. Malignitet?",
        "Hudbiopsi med normal arkitektur. Cellkärnorna är jämnstora och utan mitoser.",
        "Ingen påvisad malignitet.",
    ),
    Examination(
        "DOC", "Spirometri", "CHEST", ("127783003", "Spirometry"),
        (Images("Resultat", ("made/result",)),),
        "Andfåddhet. Obstruktivitet?",
        "Normala dynamiska volymer utan reversibilitet.",
        "Normal spirometri.",
    ),
)  # fmt: skip
